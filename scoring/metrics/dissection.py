"""Features as detectors of a class, whatever the agent makes of them: pure functions of activations and masks.

z_ik(p) is the activation of feature k at cell p of frame i, y_ic(p) in [0, 1] the share of the cell that class c
covers. A cell counts as y of a positive and 1 - y of a negative."""

import numpy as np

from scoring.metrics.arrays import FloatArray, Labels, Maps, check_axes, ratio
from scoring.threads import divide


def detection(z: Maps, y: Maps) -> tuple[FloatArray, FloatArray]:
    """Intersection over union, and average precision over chance, of features as detectors of classes: two (K, C).

    `z` (N, K, H, W) and `y` (N, C, H, W). Intersection over union (Bau et al. 2017, Network Dissection) takes as many
    cells as the class covers, p_c of them: those above the (1 - p_c) quantile of z_k over all frames. Average precision
    is the sum over thresholds of the gain in recall times the precision, where cells with equal z pass a threshold
    together; (AP - p_c) / (1 - p_c) is 0 at chance. Both are nan for a class that never shows.
    """
    check_axes(z=(z, "N K H W"), y=(y, "N C H W"))
    scores, shares = _flat(z), _flat(y)
    iou, precision = np.full((2, len(scores), len(shares)), np.nan)
    visible = [(c, np.flatnonzero(row), row[row > 0].astype(np.float64)) for c, row in enumerate(shares) if row.any()]

    def detect(k: int) -> None:
        row = scores[k]
        ordered = np.sort(row)
        for c, cells, share in visible:
            own, covered = row[cells], share.sum()
            least = _quantile(ordered, 1 - covered / row.size)
            above = row.size - np.searchsorted(ordered, least, side="right")
            both = share[own > least].sum()
            iou[k, c] = both / (above + covered - both)
            order = np.argsort(own)[::-1]
            passed = row.size - np.searchsorted(ordered, own[order], side="left")  # cells that pass with each of those
            last = np.append(np.diff(passed) != 0, True)
            hits = np.cumsum(share[order])[last]
            precision[k, c] = np.sum(np.diff(hits, prepend=0) / covered * hits / passed[last])

    divide(detect, range(len(scores)))
    prevalence = shares.sum(axis=1, dtype=np.float64) / shares.shape[1]
    chance = np.broadcast_to(1 - prevalence, precision.shape).copy()
    return iou, ratio(precision - prevalence, chance)


def _quantile(ordered: Maps, share: float) -> float:
    """The quantile of a sorted row (n,), linear between its values."""
    low, part = divmod(share * (len(ordered) - 1), 1)
    pair = ordered[int(low) : int(low) + 2].astype(np.float64)
    return float(pair[0] + part * (pair[-1] - pair[0]))


def stability(before: FloatArray, after: FloatArray, kind: Labels, classes: int) -> FloatArray:
    """Correlation (K, C) of a feature's attribution on the same object in a frame and in the next one.

    `before` and `after` (K, M) hold it for M objects of class `kind` (M,). nan for fewer than three objects, or where
    one of the two does not vary.
    """
    check_axes(before=(before, "K M"), after=(after, "K M"), kind=(kind, "M"))
    result = np.full((len(before), classes), np.nan)
    for c in range(classes):
        own = kind == c
        if np.count_nonzero(own) < 3:
            continue
        a = before[:, own] - before[:, own].mean(axis=1, keepdims=True)
        b = after[:, own] - after[:, own].mean(axis=1, keepdims=True)
        result[:, c] = ratio((a * b).sum(axis=1), np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1)))
    return result


def _flat(maps: Maps) -> Maps:
    """(N, K, H, W) -> (K, N H W)."""
    return np.ascontiguousarray(np.moveaxis(maps, 1, 0)).reshape(maps.shape[1], -1)
