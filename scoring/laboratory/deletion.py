"""What happens to the target when a frame loses, or keeps, what a method says is important?

Pixels: the strongest of |map| are replaced by grey, or by the blurred frame, a growing share of them (deletion); or
put back into the blurred frame (insertion; Petsiuk et al. 2018). Objects: they are taken out one by one, in the order
of the mass on them, and the game draws what is left. Each number is the mean over the steps of |F - F(x)|, in standard
deviations of F over the frames: high is good for deletion and low for insertion. `kl` is the divergence of the policy
from that of the whole frame, in nats, when objects are taken out. A random order is the control `noise`; taking out
the objects in the order of `removal` is the other end of the scale.

Deletion by grey leaves the frames that the agent knows, and blurred maps do well in it (Song et al. 2023); taking out
objects does not."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.networks import ActorCritic
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import Function, function_of, values_of
from scoring.explain.pixels.integrated import blurred
from scoring.explain.pixels.occlusion import GREY
from scoring.laboratory.base import Bench, FloatArray, Row, mean_over_frames
from scoring.laboratory.objects import own_ground

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Shares of the pixels that are deleted or put back."""
OVER_NOISE = "objects taken out in order, over noise"


def deletion(bench: Bench, progress: Update) -> list[Row]:
    """Rows of every method; it passes if objects in its order move the target more than in the order of `noise`."""
    scenes, function = bench.scenes, function_of(bench.agent, bench.target)
    whole = values_of(function, scenes.frames)
    unit = max(float(whole.std()), 1e-12)
    policy = _policy(bench, scenes.frames)
    found = {}
    for name, maps in bench.maps.items():
        statistics = {key: value / unit for key, value in pixels(function, scenes.frames, maps, whole).items()}
        moved, kl = _objects(bench, maps, function, whole, policy)
        found[name] = statistics | {"objects taken out in order": moved / unit, "objects, kl of the policy": kl}
        progress(1)
    rows = []
    for name, statistics in found.items():
        if "noise" in found and not bench.methods[name].control:
            key = "objects taken out in order"
            statistics = statistics | {OVER_NOISE: statistics[key] - found["noise"][key]}
        for statistic, values in statistics.items():
            number, frames = mean_over_frames(values, scenes.environment, bench.seed)
            passes = number.low is not None and number.low > 0 if statistic == OVER_NOISE else None
            rows.append(Row("deletion", name, bench.target, statistic, number, frames, passes))
    return rows


def pixels(function: Function, frames: NDArray[np.uint8], maps: Maps, whole: FloatArray) -> dict[str, FloatArray]:
    """Mean |F - F(x)| (N,) over `SHARES`, by way of replacing pixels; in units of F."""
    prepared = ActorCritic.prepare(torch.from_numpy(frames))
    blur, grey = blurred(prepared), torch.full_like(prepared, GREY)
    rank = np.argsort(np.argsort(-np.abs(maps).reshape(len(maps), -1), axis=1, kind="stable"), axis=1)
    ways = {
        "deletion by grey": (prepared, grey),
        "deletion by blur": (prepared, blur),
        "insertion into blur": (blur, prepared),
    }
    result = {name: np.zeros(len(frames)) for name in ways}
    for share in SHARES:
        chosen = torch.from_numpy(rank < share * rank.shape[1]).reshape(-1, 1, *maps.shape[1:])
        for name, (start, end) in ways.items():
            result[name] += np.abs(_evaluate(function, torch.where(chosen, end, start)) - whole) / len(SHARES)
    return result


@torch.no_grad()
def _evaluate(function: Function, prepared: Tensor) -> FloatArray:
    return np.concatenate([function(batch).double().numpy() for batch in prepared.split(64)])


def _objects(
    bench: Bench, maps: Maps, function: Function, whole: FloatArray, policy: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean |F - F(x)| and divergence of the policy (N,) over the objects, taken out in order; nan without two."""
    scenes = bench.scenes
    index, drawn = [], []
    for i, items in enumerate(scenes.objects):
        if len(items) > 1:
            ground = own_ground(np.stack([item.mask for item in items]))
            order = np.argsort([-np.abs(maps[i][mask]).sum() for mask in ground], kind="stable")
            for last in range(1, len(items)):  # without all of them no order is left
                index.append(i)
                drawn.append(scenes.draw(i, [items[k] for k in order[:last]]))
    moved, kl = np.full(len(scenes), np.nan), np.full(len(scenes), np.nan)
    if not index:
        return moved, kl
    frames, where = np.stack(drawn), np.array(index)
    change = np.abs(values_of(function, frames) - whole[where])
    divergence = (np.exp(policy[where]) * (policy[where] - _policy(bench, frames))).sum(axis=1)
    for i in np.unique(where):
        moved[i], kl[i] = change[where == i].mean(), divergence[where == i].mean()
    return moved, kl


@torch.no_grad()
def _policy(bench: Bench, frames: NDArray[np.uint8]) -> FloatArray:
    """Log-probabilities (n, actions)."""
    parts = [bench.agent.network(part)[0].double().log_softmax(dim=1) for part in torch.from_numpy(frames).split(64)]
    return torch.cat(parts).numpy()
