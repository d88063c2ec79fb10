"""Does a map lie on what it should? Pointing game, mass and rank accuracy of each kind of thing, over chance.

Pointing (Zhang et al. 2016): the strongest pixel of |map| is within 2 px of the kind. Mass accuracy (Arras et al.
2022): the share of |map| on it. Rank accuracy: of as many strongest pixels as the kind has, the share on it. Chance is
the same map on the kind's masks in frames of other environments; a number is (found - chance) / (1 - chance), as kappa
of the score is. Frames that do not show the kind count for nothing; a map that is nowhere hits nothing."""

import numpy as np
from numpy.typing import NDArray

from rollouts.masks import dilate
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.laboratory.base import DILATION, Bench, FloatArray, Row, mean_over_frames

OTHERS = 16
"""Frames of other environments that chance is taken from, of each frame."""
MOST = 0.5
"""Kinds that cover more of the frame in the mean are left out: there is nothing to point at."""

BoolArray = NDArray[np.bool_]


def localisation(bench: Bench, progress: Update) -> list[Row]:
    """Rows of every method and each kind that shows in frames of at least four environments."""
    scenes = bench.scenes
    generator = np.random.default_rng(bench.seed)
    kinds = {}
    for c, kind in enumerate(scenes.game.kinds):
        frames = np.flatnonzero(scenes.masks[:, c].any(axis=(1, 2)))
        if len(np.unique(scenes.environment[frames])) >= 4 and kind.headline and scenes.masks[frames, c].mean() < MOST:
            kinds[kind.name] = frames, scenes.masks[frames, c], _others(scenes.environment[frames], generator)
    rows = []
    for name, maps in bench.maps.items():
        for shown, (frames, masks, others) in kinds.items():
            for statistic, values in over_chance(maps[frames], masks, others).items():
                number, count = mean_over_frames(values, scenes.environment[frames], bench.seed)
                rows.append(Row("localisation", name, bench.target, f"{statistic}, {shown}", number, count))
        progress(1)
    return rows


def _others(environment: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """For each frame (n,), frames of other environments (n, `OTHERS`), drawn with replacement."""
    choices = [np.flatnonzero(environment != own) for own in environment]
    return np.stack([generator.choice(choice, OTHERS) for choice in choices])


def over_chance(maps: Maps, masks: BoolArray, others: NDArray[np.int64]) -> dict[str, FloatArray]:
    """Each statistic (n,) of maps (n, 64, 64) on masks (n, 64, 64), over the same on the masks of `others` (n, m)."""
    strength = np.abs(maps).reshape(len(maps), -1).astype(np.float64)
    wide = dilate(masks, DILATION).reshape(len(masks), -1)
    flat = masks.reshape(len(masks), -1)
    total = strength.sum(axis=1)
    order = np.argsort(-strength, axis=1, kind="stable")
    result = {name: np.empty(len(maps)) for name in ("pointing", "mass", "rank")}
    for i, rivals in enumerate(others):
        rows = np.concatenate([[i], rivals])
        hits = wide[rows, order[i, 0]] * float(total[i] > 0)
        mass = flat[rows] @ strength[i] / total[i] if total[i] > 0 else np.zeros(len(rows))
        sizes = flat[rows].sum(axis=1)
        rank = np.array([flat[row, order[i, :size]].mean() for row, size in zip(rows, sizes, strict=True)])
        for name, values in (("pointing", hits), ("mass", mass), ("rank", rank * float(total[i] > 0))):
            chance = float(values[1:].mean())
            result[name][i] = (values[0] - chance) / (1 - chance) if chance < 1 else np.nan
    return result
