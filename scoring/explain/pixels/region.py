"""The smallest region that keeps the target when everything else is blurred (Fong and Vedaldi 2017)."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from agents.checkpoint import Agent
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import Function, function_of, in_batches
from scoring.explain.pixels.integrated import blurred
from scoring.explain.scenes import Scenes

COARSE, STEPS, RATE = 16, 100, 0.1
"""Side of the mask before it is stretched to the frame, steps of Adam, and their rate."""
AREA, SMOOTH = 0.05, 0.05
"""Weights of the mask's area and of its total variation, beside the squared error in units of |F(x) - F(blurred)|."""


def minimal_region(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The mask in [0, 1] that keeps F with as little area as it can; no sign."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: preserved(function, x), progress)


def preserved(function: Function, prepared: Tensor) -> Tensor:
    """Masks (batch, 64, 64) m that minimise, of each frame by itself,

    ((F(m x + (1 - m) blurred) - F(x)) / |F(x) - F(blurred)|)^2 + 0.05 mean(m) + 0.05 TV(m).
    """
    other = blurred(prepared)
    wanted = function(prepared)
    scale = (wanted - function(other)).abs().clamp(min=1e-3)
    with torch.enable_grad():
        level = torch.zeros(len(prepared), 1, COARSE, COARSE, requires_grad=True)
        optimiser = torch.optim.Adam([level], lr=RATE)
        for _ in range(STEPS):
            mask = stretched(level)
            error = ((function(mask * prepared + (1 - mask) * other) - wanted) / scale) ** 2
            coarse = level.sigmoid()
            variation = coarse.diff(dim=2).abs().mean() + coarse.diff(dim=3).abs().mean()
            loss = error.sum() + len(prepared) * (AREA * coarse.mean() + SMOOTH * variation)
            (level.grad,) = torch.autograd.grad(loss, level)
            optimiser.step()
    return stretched(level.detach())[:, 0]


def stretched(level: Tensor) -> Tensor:
    """Masks (batch, 1, 64, 64) of coarse levels."""
    return interpolate(level.sigmoid(), size=64, mode="bilinear", align_corners=False)
