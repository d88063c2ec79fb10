"""Gradients at the frame, summed over the colours of a pixel: alone, times the frame, and with noise."""

import numpy as np
import torch
from torch import Tensor

from agents.checkpoint import Agent
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import Function, function_of, gradient_of, in_batches
from scoring.explain.scenes import Scenes

SAMPLES, SIGMA = 50, 0.15
"""Noisy copies of a frame, and the noise's standard deviation as a share of the frame's range (Adebayo et al. 2018)."""


def gradient(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """dF/dx (Simonyan et al. 2014), signed."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: gradient_of(function, x).sum(dim=1), progress)


def gradient_x_input(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """x dF/dx (Shrikumar et al. 2016)."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: (x * gradient_of(function, x)).sum(dim=1), progress)


def smoothgrad(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The mean gradient of 50 copies of the frame with Gaussian noise (Smilkov et al. 2017)."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: noisy(function, x, seed + place.start)[0].sum(dim=1), progress)


def vargrad(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The variance of the gradient over the same copies (Adebayo et al. 2018), never negative."""
    function = function_of(agent, target)
    return in_batches(scenes.frames, lambda x, place: noisy(function, x, seed + place.start)[1].sum(dim=1), progress)


def noisy(
    function: Function, prepared: Tensor, seed: int, samples: int = SAMPLES, sigma: float = SIGMA
) -> tuple[Tensor, Tensor]:
    """Mean and variance (batch, 3, 64, 64) of the gradient at frames with noise; `sigma` is in units of [0, 1]."""
    generator = torch.from_numpy(np.random.default_rng(seed).standard_normal((samples, *prepared.shape), np.float32))
    total, squares = torch.zeros_like(prepared), torch.zeros_like(prepared)
    for noise in generator:
        gradient = gradient_of(function, prepared + sigma * noise)
        total += gradient
        squares += gradient**2
    mean = total / samples
    return mean, squares / samples - mean**2
