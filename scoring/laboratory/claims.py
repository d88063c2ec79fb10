"""Do methods keep what they claim of themselves, and do their maps hold still?

Completeness: |sum of the map - (F(x) - F(start))| / |F(x) - F(start)|, of those that claim it; start is the baseline of
integrated gradients, and for Shapley values the frame without any of its objects. It passes below 5 % in the median of
frames. Max-sensitivity (Yeh et al. 2019): the largest change of the map, as a share of its length, under four uniform
disturbances of at most 1/255, which rounding to 256 levels could make; reported of all."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from agents.networks import ActorCritic
from rollouts.progress import Update, silent
from scoring.explain.pixels.base import function_of, values_of
from scoring.explain.pixels.integrated import blurred
from scoring.explain.scenes import Scenes
from scoring.laboratory.base import Bench, FloatArray, Row, mean_over_frames
from scoring.laboratory.randomisation import FRAMES, first_of_each
from scoring.metrics.statistics import Number

COMPLETE = 0.05
DISTURBANCES = 4


def claims(bench: Bench, progress: Update) -> list[Row]:
    """Rows of every method."""
    rows = []
    starts = _starts(bench)
    whole = values_of(function_of(bench.agent, bench.target), bench.scenes.frames)
    scenes, chosen = first_of_each(bench.scenes, FRAMES)
    generator = np.random.default_rng(bench.seed)
    steps = generator.integers(-1, 2, (DISTURBANCES, *scenes.frames.shape))
    for name, method in bench.methods.items():
        if name in starts:
            difference = whole - starts[name]
            total = bench.maps[name].sum(axis=(1, 2), dtype=np.float64)
            with np.errstate(divide="ignore", invalid="ignore"):
                error = np.abs(total - difference) / np.abs(difference)
            median = float(np.nanmedian(error))
            rows.append(
                Row(
                    "claims",
                    name,
                    bench.target,
                    "completeness error, median",
                    Number(median),
                    len(error),
                    median < COMPLETE,
                )
            )
        if not method.control:
            before = bench.maps[name][chosen].reshape(len(chosen), -1)
            worst = np.zeros(len(chosen))
            for step in steps:
                after = method.draw(bench.agent, _disturbed(scenes, step), bench.target, bench.seed, silent)
                after = after.reshape(len(chosen), -1)
                length = np.linalg.norm(before, axis=1)
                change = np.linalg.norm(after - before, axis=1)
                worst = np.maximum(worst, np.divide(change, length, out=np.full(len(length), np.nan), where=length > 0))
            number, frames = mean_over_frames(worst, scenes.environment, bench.seed)
            rows.append(Row("claims", name, bench.target, "max-sensitivity at 1/255", number, frames))
        progress(1)
    return rows


def _disturbed(scenes: Scenes, step: NDArray[np.int64]) -> Scenes:
    """Scenes whose frames, with and without objects, are changed by `step` (n, 64, 64, 3) levels of 256."""

    def add(frames: NDArray[np.uint8], more: NDArray[np.int64]) -> NDArray[np.uint8]:
        return np.clip(frames + more, 0, 255).astype(np.uint8)

    return replace(scenes, frames=add(scenes.frames, step), draw=lambda i, absent: add(scenes.draw(i, absent), step[i]))


def _starts(bench: Bench) -> dict[str, FloatArray]:
    """F (N,) of what each method that claims completeness starts from."""
    function, scenes = function_of(bench.agent, bench.target), bench.scenes
    frames = scenes.frames
    mean = frames.mean(axis=0, dtype=np.float64)
    with torch.no_grad():
        prepared = ActorCritic.prepare(torch.from_numpy(frames))
        blur = np.concatenate([function(blurred(part)).numpy() for part in prepared.split(64)])
        middle = function(torch.from_numpy(mean).permute(2, 0, 1)[None].float() / 255).numpy()
        black = function(torch.zeros(1, 3, 64, 64)).numpy()
    empty = values_of(function, np.stack([scenes.draw(i, own) for i, own in enumerate(scenes.objects)]))
    count = len(frames)
    return {
        "ig_black": np.repeat(black, count),
        "ig_mean": np.repeat(middle, count),
        "ig_blurred": blur,
        "shapley": empty,
    }
