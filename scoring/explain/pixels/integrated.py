"""Integrated gradients over pixels (Sundararajan, Taly and Yan 2017) from three baselines."""

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from agents.checkpoint import Agent
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import Function, function_of, gradient_of, in_batches
from scoring.explain.scenes import Scenes

STEPS = 50
BLUR = 5.0
"""Standard deviation of the blurred baseline, in pixels."""


def from_black(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """From a black frame."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: along(function, x, torch.zeros_like(x)), progress)


def from_mean(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """From the mean of the frames."""
    function = function_of(agent, target)
    mean = torch.from_numpy(scenes.frames.mean(axis=0, dtype=np.float64)).permute(2, 0, 1).float() / 255
    return in_batches(scenes.frames, lambda x, place: along(function, x, mean.expand_as(x)), progress)


def from_blurred(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """From the frame itself, blurred."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: along(function, x, blurred(x)), progress)


def blurred(prepared: Tensor) -> Tensor:
    """Frames (batch, 3, 64, 64) blurred by a Gaussian of `BLUR` pixels, edges mirrored."""
    return torch.from_numpy(gaussian_filter(prepared.numpy(), (0, 0, BLUR, BLUR), mode="reflect"))


def along(function: Function, prepared: Tensor, baseline: Tensor, steps: int = STEPS) -> Tensor:
    """Maps (batch, 64, 64) that sum to F(x) - F(baseline), by the midpoints of `steps` pieces of the way."""
    way, total = prepared - baseline, torch.zeros_like(prepared)
    for step in range(steps):
        total += gradient_of(function, baseline + way * ((step + 0.5) / steps))
    return (way * total / steps).sum(dim=1)
