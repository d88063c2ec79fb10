"""Explanations whose units are the objects in the frame, and where absent means drawn again without them.

A map has an object's share of the target spread evenly over the pixels that show of it, and 0 elsewhere: whatever
walls, velocity squares and background do is nobody's. `removal`, what happens when one object alone is taken out, is
what the laboratory holds all other methods against."""

from collections.abc import Callable, Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import Ridge

from agents.checkpoint import Agent
from rollouts.items import Item
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import Function, function_of, values_of
from scoring.explain.scenes import Scenes

EXACT = 10
"""Objects up to which Shapley values are exact; above, `ORDERS` random orders are taken."""
ORDERS = 100
LIME_SAMPLES, LIME_WIDTH, LIME_RIDGE = 256, 0.25, 1e-6
"""Coalitions at most, all where there are fewer; the kernel's width for images (Ribeiro et al. 2016); the penalty."""

FloatArray = NDArray[np.float64]
Game = Callable[[NDArray[np.bool_]], FloatArray]
"""Which objects are there (coalitions, objects) -> the target (coalitions,)."""
Shares = Callable[[Game, int, int], FloatArray]
"""A game of so many objects, and a seed -> each object's share (objects,)."""


def removal(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """F(x) - F(x without the object), object by object."""
    return spread(scenes, removals(function_of(agent, target), scenes, progress))


def shapley(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """Shapley values (Shapley 1953; Lundberg and Lee 2017) of the objects: exact up to ten of them, else sampled."""
    return _shared(agent, scenes, target, seed, progress, shapley_values)


def lime(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The weights of a linear model of which objects are there (Ribeiro et al. 2016)."""
    return _shared(agent, scenes, target, seed, progress, lime_weights)


def removals(function: Function, scenes: Scenes, progress: Update) -> list[FloatArray]:
    """F(x) - F(x without it) of each object (objects,) of each frame."""
    whole = values_of(function, scenes.frames)
    index, frames = scenes.without_each()
    effects = whole[index] - values_of(function, frames)
    progress(len(scenes))
    return [effects[index == i] for i in range(len(scenes))]


def spread(scenes: Scenes, shares: Sequence[FloatArray]) -> Maps:
    """Maps (N, 64, 64): each object's share over its pixels."""
    maps = np.zeros((len(scenes), 64, 64), dtype=np.float32)
    for own, objects, values in zip(maps, scenes.objects, shares, strict=True):
        for item, value in zip(objects, values, strict=True):
            own[item.mask] = value / item.mask.sum()
    return maps


def _shared(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update, shares: Shares) -> Maps:
    function = function_of(agent, target)
    values = []
    for i, objects in enumerate(scenes.objects):
        values.append(shares(_game(function, scenes, i, objects), len(objects), seed + i))
        progress(1)
    return spread(scenes, values)


def _game(function: Function, scenes: Scenes, i: int, objects: Sequence[Item]) -> Game:
    def values(present: NDArray[np.bool_]) -> FloatArray:
        frames = [
            scenes.draw(i, [item for item, there in zip(objects, row, strict=True) if not there]) for row in present
        ]
        return values_of(function, np.stack(frames))

    return values


def shapley_values(game: Game, objects: int, seed: int, exact: int = EXACT, orders: int = ORDERS) -> FloatArray:
    """Shapley values (objects,), by all coalitions or by random orders and their reverses."""
    if objects == 0:
        return np.empty(0)
    if objects > exact:
        return _sampled(game, objects, np.random.default_rng(seed), orders)
    coalitions = _all_coalitions(objects)
    values, sizes = game(coalitions), coalitions.sum(axis=1)
    shares = np.empty(objects)
    for k in range(objects):
        without = np.flatnonzero(~coalitions[:, k])
        weights = np.array([1 / (objects * comb(objects - 1, int(size))) for size in sizes[without]])
        shares[k] = (weights * (values[without | 1 << k] - values[without])).sum()
    return shares


def _all_coalitions(objects: int) -> NDArray[np.bool_]:
    """(2 ** objects, objects): in row n, object k is there where bit k of n is set."""
    return np.array([[number >> k & 1 for k in range(objects)] for number in range(2**objects)], dtype=bool)


def _sampled(game: Game, objects: int, generator: np.random.Generator, orders: int) -> FloatArray:
    total = np.zeros(objects)
    for _ in range(orders // 2):
        order = generator.permutation(objects)
        for way in (order, order[::-1]):
            present = np.zeros((objects + 1, objects), dtype=bool)
            for step, k in enumerate(way, start=1):
                present[step:, k] = True
            total[way] += np.diff(game(present))
    return total / (2 * (orders // 2))


def lime_weights(game: Game, objects: int, seed: int, samples: int = LIME_SAMPLES) -> FloatArray:
    """Weights (objects,) of a ridge regression on coalitions, near ones counting more.

    The kernel is exp(-d^2 / width^2) with d the cosine distance to all objects being there. All coalitions are taken
    where there are no more than `samples`; else all with one object missing, and random ones.
    """
    if objects == 0:
        return np.empty(0)
    if 2**objects <= samples:
        coalitions = _all_coalitions(objects)
    else:
        first = np.ones((objects + 1, objects), dtype=bool)
        first[np.arange(1, objects + 1), np.arange(objects)] = False
        drawn = np.random.default_rng(seed).random((max(samples - len(first), 0), objects)) < 0.5
        coalitions = np.concatenate([first, drawn])
    distance = 1 - np.sqrt(coalitions.mean(axis=1))
    weights = np.exp(-((distance / LIME_WIDTH) ** 2))
    model = Ridge(alpha=LIME_RIDGE).fit(coalitions.astype(np.float64), game(coalitions), sample_weight=weights)
    return np.asarray(model.coef_, dtype=np.float64)
