"""What draws a signed map of a target over the pixels of a frame, and what all such methods share."""

from collections.abc import Callable
from threading import Lock
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.checkpoint import Agent
from agents.networks import ActorCritic
from rollouts.progress import Update
from scoring.explain.base import BATCH, Maps, target_output
from scoring.explain.scenes import Scenes
from scoring.threads import divide

Function = Callable[[Tensor], Tensor]
"""Prepared frames (batch, 3, 64, 64) -> the target (batch,)."""


class PixelMethod(Protocol):
    """Explains a target of an agent (`target_output`) on scenes by maps (N, 64, 64) float32.

    Positive raises the target where the method is signed. `progress` is told of each frame. Raises `InputError` where
    the agent's network has not what the method needs, or the target is not one that it can explain.
    """

    def __call__(self, agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps: ...


def function_of(agent: Agent, target: str) -> Function:
    """The target as a function of prepared frames; raises `InputError` as `target_output` does."""
    network, output = agent.network, target_output(agent.network, target)
    return lambda prepared: output(network.heads(network.trunk(prepared)))


def gradient_of(function: Function, prepared: Tensor) -> Tensor:
    """The gradient (batch, 3, 64, 64) of F at prepared frames of the same shape."""
    with torch.enable_grad():
        at = prepared.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(function(at).sum(), at)
    return gradient


def in_batches(frames: NDArray[np.uint8], draw: Callable[[Tensor, slice], Tensor], progress: Update) -> Maps:
    """Maps (N, 64, 64) of frames (N, 64, 64, 3): `draw` takes prepared frames and their place to maps (batch, 64, 64).

    The batches are divided among threads, so `draw` has to keep what is random apart by place.
    """
    maps, lock = np.empty((len(frames), 64, 64), dtype=np.float32), Lock()

    @torch.no_grad()
    def explain(start: int) -> None:
        place = slice(start, min(start + BATCH, len(frames)))
        prepared = ActorCritic.prepare(torch.from_numpy(frames[place]))
        maps[place] = draw(prepared, place).numpy()
        with lock:
            progress(place.stop - place.start)

    divide(explain, range(0, len(frames), BATCH))
    return maps


def values_of(function: Function, frames: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The target (N,) of frames (N, 64, 64, 3)."""
    values = np.empty(len(frames))

    @torch.no_grad()
    def evaluate(start: int) -> None:
        batch = ActorCritic.prepare(torch.from_numpy(frames[start : start + BATCH]))
        values[start : start + BATCH] = function(batch).numpy()

    divide(evaluate, range(0, len(frames), BATCH))
    return values
