"""The score of Orbay (2020), and what it would be by chance."""

from collections.abc import Iterable

import numpy as np

from scoring.metrics.arrays import BoolArray, FloatArray, Labels, Maps, check_axes


def threshold(w: Maps, tau: float = 0.1) -> BoolArray:
    """Cells (..., height, width) where w exceeds `tau` times the maximum of its map; none in a map of zeros."""
    return np.greater(w, tau * w.max(axis=(-2, -1), keepdims=True))


def orbay2020(covered: Iterable[BoolArray], objects: BoolArray) -> float:
    """Orbay (2020): mean over frames and features of |B and objects| / |B|, empty B skipped; nan if all are empty.

    `covered` holds B, the pixels (frames, 64, 64) under the receptive fields of the cells past the threshold, once per
    feature; an array (features, frames, 64, 64) will do. `objects` (frames, 64, 64).
    """
    return _mean_precision(covered, objects.astype(np.float64))


def orbay_chance(covered: Iterable[BoolArray], objects: BoolArray, environment: Labels) -> float:
    """Expectation of `orbay2020` when each frame's objects are those of a random frame of another environment.

    Of any other frame, where there is one environment only; nan where there is one frame only. `environment` (frames,).
    """
    check_axes(objects=(objects, "N H W"), environment=(environment, "N"))
    if len(environment) == 1:
        return float("nan")
    labels = environment if len(np.unique(environment)) > 1 else np.arange(len(environment))
    total, elsewhere = objects.sum(axis=0, dtype=np.float64), np.empty(objects.shape)
    for label in np.unique(labels):
        own = labels == label
        elsewhere[own] = (total - objects[own].sum(axis=0)) / np.count_nonzero(~own)
    return _mean_precision(covered, elsewhere)


def _mean_precision(covered: Iterable[BoolArray], objects: FloatArray) -> float:
    """Mean over frames and features of the mean of `objects` (frames, 64, 64) over B, empty B skipped."""
    shares = []
    for boxes in covered:
        check_axes(objects=(objects, "N H W"), covered=(boxes, "N H W"))
        area = np.count_nonzero(boxes, axis=(1, 2))
        hit = np.einsum("nij,nij->n", boxes, objects)
        shares.append(hit[area > 0] / area[area > 0])
    pooled = np.concatenate(shares)
    return float(pooled.mean()) if pooled.size else float("nan")
