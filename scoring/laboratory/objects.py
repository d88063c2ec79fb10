"""Does a method find the objects that the target depends on? The game says which: it draws the frame without each.

Of each frame: the rank correlation, over its objects, of the mass of |map| on an object (its pixels, and those within
2 px that show no other) with what its removal does to the target (at least three objects); whether the object with the
most mass is the one whose removal does most (at least two); and, of signed methods, on how many of the objects that
matter the sum of the map has the sign of the effect. An object matters if its removal moves the target by a twentieth
of the target's standard deviation over the frames. A method passes if its correlation is above that of every control,
frame by frame."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from rollouts.masks import dilate
from rollouts.progress import Update
from scoring.explain.base import Maps
from scoring.explain.pixels.base import function_of, values_of
from scoring.explain.pixels.methods import Listed
from scoring.laboratory.base import DILATION, Bench, FloatArray, Row, mean_over_frames

BoolArray = NDArray[np.bool_]

MATTERS = 0.05
CORRELATION, STRONGEST, SIGN, OVER_CONTROLS = (
    "rank correlation with removal",
    "strongest object is right",
    "sign agrees with removal",
    "rank correlation over the best control",
)


def objects(bench: Bench, progress: Update) -> list[Row]:
    """Rows of every method; `OVER_CONTROLS` is the mean difference from the control with the highest correlation."""
    threshold = MATTERS * float(values_of(function_of(bench.agent, bench.target), bench.scenes.frames).std())
    found = {}
    for name, method in bench.methods.items():
        found[name] = of_frames(bench, bench.maps[name], method, threshold)
        progress(1)
    best = max(bench.controls, key=lambda name: _mean(found[name][CORRELATION]), default=None)
    rows = []
    for name, method in bench.methods.items():
        statistics = dict(found[name])
        if best is not None and not method.control:
            statistics[OVER_CONTROLS] = found[name][CORRELATION] - found[best][CORRELATION]
        for statistic, values in statistics.items():
            number, frames = mean_over_frames(values, bench.scenes.environment, bench.seed)
            passes = number.low is not None and number.low > 0 if statistic == OVER_CONTROLS else None
            note = f"over {best}" if statistic == OVER_CONTROLS else ""
            rows.append(Row("objects", name, bench.target, statistic, number, frames, passes, note))
    return rows


def of_frames(bench: Bench, maps: Maps, method: Listed, threshold: float) -> dict[str, FloatArray]:
    """The statistics of each frame (N,), nan where it has too few objects."""
    statistics = {name: np.full(len(maps), np.nan) for name in (CORRELATION, STRONGEST, SIGN)}
    for i, (items, effects) in enumerate(zip(bench.scenes.objects, bench.removals, strict=True)):
        if len(items) < 2:
            continue
        wide = own_ground(np.stack([item.mask for item in items]))
        mass = np.array([np.abs(maps[i][mask]).sum() for mask in wide], dtype=np.float64)
        statistics[STRONGEST][i] = float(mass.argmax() == np.abs(effects).argmax()) if mass.any() else 0.0
        if len(items) > 2 and np.ptp(np.abs(effects)) > 0:
            statistics[CORRELATION][i] = spearmanr(mass, np.abs(effects)).statistic if np.ptp(mass) > 0 else 0.0
        matters = np.abs(effects) > threshold
        if method.signed and matters.any():
            sums = np.array([maps[i][mask].sum() for mask in wide[matters]])
            statistics[SIGN][i] = float(np.mean(np.sign(sums) == np.sign(effects[matters])))
    return statistics if method.signed else {name: statistics[name] for name in (CORRELATION, STRONGEST)}


def own_ground(masks: BoolArray) -> BoolArray:
    """Masks (objects, 64, 64) widened, each without the pixels that show another object."""
    return dilate(masks, DILATION) & (masks | ~masks.any(axis=0))


def _mean(values: FloatArray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else -1.0
