"""Features as detectors of a class, whatever the agent makes of them: pure functions of activations and masks.

z_ik(p) is the activation of feature k at cell p of frame i, y_ic(p) in [0, 1] the share of the cell that class c
covers. A cell counts as y of a positive and 1 - y of a negative.
"""

import numpy as np

from scoring.metrics import FloatArray, Labels, Maps, ratio


def iou(z: Maps, y: Maps) -> FloatArray:
    """Intersection over union (K, C) of the strongest cells and the class (Bau et al. 2017, Network Dissection).

    `z` (N, K, H, W) and `y` (N, C, H, W). As many cells are taken as the class covers, p_c of them: those above the
    (1 - p_c) quantile of z_k over all frames. nan for a class that never shows.
    """
    scores, shares = _flat(z), _flat(y)
    covered = shares.sum(axis=1)
    result = np.full((len(scores), len(shares)), np.nan)
    for k, row in enumerate(scores):
        for c in np.flatnonzero(covered):
            above = row > np.quantile(row, 1 - covered[c] / row.size)
            both = shares[c, above].sum()
            result[k, c] = both / (above.sum() + covered[c] - both)
    return result


def average_precision(z: Maps, y: Maps) -> FloatArray:
    """(AP - p) / (1 - p) (K, C): area under precision and recall of z_k as a detector of class c, 0 at chance.

    Arguments and nan as for `iou`. AP is the sum over thresholds of the gain in recall times the precision; cells
    with equal z pass a threshold together.
    """
    scores, shares = _flat(z), _flat(y)
    covered = shares.sum(axis=1)
    result = np.full((len(scores), len(shares)), np.nan)
    for k, row in enumerate(scores):
        order = np.argsort(-row, kind="stable")
        last = np.flatnonzero(np.append(np.diff(row[order]) != 0, True))  # the last cell of every run of equals
        for c in np.flatnonzero(covered):
            hits = np.cumsum(shares[c, order])[last]
            result[k, c] = np.sum(np.diff(hits, prepend=0) / covered[c] * hits / (last + 1))
    prevalence = covered / scores.shape[1]
    return ratio(result - prevalence, np.broadcast_to(1 - prevalence, result.shape).copy())


def stability(before: FloatArray, after: FloatArray, kind: Labels, classes: int) -> FloatArray:
    """Correlation (K, C) of a feature's attribution on the same object in a frame and in the next one.

    `before` and `after` (K, M) hold it for M objects of class `kind` (M,). nan for fewer than three objects, or where
    one of the two does not vary.
    """
    result = np.full((len(before), classes), np.nan)
    for c in range(classes):
        own = kind == c
        if np.count_nonzero(own) < 3:
            continue
        a = before[:, own] - before[:, own].mean(axis=1, keepdims=True)
        b = after[:, own] - after[:, own].mean(axis=1, keepdims=True)
        result[:, c] = ratio((a * b).sum(axis=1), np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1)))
    return result


def _flat(maps: Maps) -> FloatArray:
    """(N, K, H, W) -> (K, N H W)."""
    return np.moveaxis(maps, 1, 0).reshape(maps.shape[1], -1).astype(np.float64)
