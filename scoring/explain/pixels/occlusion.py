"""Occlusion (Zeiler and Fergus 2014): how much the target falls when a grey patch covers a place."""

import torch
from torch import Tensor

from agents.checkpoint import Agent
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import Function, function_of, in_batches
from scoring.explain.scenes import Scenes

PATCH, STRIDE, GREY = 8, 4, 0.5
"""Side of the patch and the step it is moved by, in pixels, and its colour in [0, 1]."""


def occlusion(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """F(x) - F(x with the patch), the mean over all patches that cover a pixel."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: occluded(function, x), progress)


def occluded(function: Function, prepared: Tensor) -> Tensor:
    """Maps (batch, 64, 64) of prepared frames (batch, 3, 64, 64)."""
    whole = function(prepared)
    size = prepared.shape[-1]
    total, count = torch.zeros_like(prepared[:, 0]), torch.zeros(size, size)
    for top in range(0, size - PATCH + 1, STRIDE):
        for left in range(0, size - PATCH + 1, STRIDE):
            where = (slice(top, top + PATCH), slice(left, left + PATCH))
            covered = prepared.clone()
            covered[:, :, where[0], where[1]] = GREY
            total[:, where[0], where[1]] += (whole - function(covered))[:, None, None]
            count[where] += 1
    return total / count
