"""What every test of the laboratory gets, and what it returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agents.checkpoint import Agent
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.methods import Listed
from scoring.explain.scenes import Scenes
from scoring.metrics.statistics import NO_NUMBER, Number, bootstrap_multiplicities, interval

DRAWS = 1000
DILATION = 2
"""Pixels by which masks are widened, as in the score."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Bench:
    """Methods, each with its maps (N, 64, 64) of an agent's target on scenes.

    `removals` has, for each frame, F(x) - F(x without it) of each of its objects (objects,).
    """

    agent: Agent
    scenes: Scenes
    target: str
    seed: int
    methods: Mapping[str, Listed]
    maps: Mapping[str, Maps]
    removals: tuple[FloatArray, ...]

    @property
    def controls(self) -> list[str]:
        return [name for name, method in self.methods.items() if method.control]


@dataclass(frozen=True)
class Row:
    """One statistic of one method: its mean over `frames` frames, and a 95 % interval over environments.

    `passes` is whether it does what the test asks; None where the test asks nothing of it.
    """

    test: str
    method: str
    target: str
    statistic: str
    number: Number
    frames: int
    passes: bool | None = None
    note: str = ""


Test = Callable[[Bench, Update], list[Row]]
"""`progress` is told of each method."""


def mean_over_frames(values: FloatArray, environment: NDArray[np.int64], seed: int) -> tuple[Number, int]:
    """The mean of values (N,), frames without one (nan) left out, with an interval over environments; and how many."""
    present = ~np.isnan(values)
    labels = np.unique(environment[present], return_inverse=True)[1].reshape(-1)
    if not present.any():
        return NO_NUMBER, 0
    mean = float(values[present].mean())
    count = int(labels.max()) + 1
    if count < 2:
        return Number(mean), int(present.sum())
    total, frames = np.bincount(labels, values[present]), np.bincount(labels)
    times = bootstrap_multiplicities(count, DRAWS, seed)
    low, high = interval((times @ total) / (times @ frames))
    return Number(mean, (float(low), float(high))), int(present.sum())
