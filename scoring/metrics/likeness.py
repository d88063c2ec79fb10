"""How alike the maps of two networks are on the same frames, as Adebayo et al. (2018) compare them."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity

from rollouts.errors import InputError
from scoring.metrics.arrays import Maps, check_axes

CELLS = 100_000
"""Cells that are ranked at most."""
WINDOW = 7
"""Side of the window of the structural similarity."""


@dataclass(frozen=True)
class Likeness:
    """1 for equal maps. Spearman's rank correlation of signed and of absolute attribution, over cells of all channels.

    `ssim` is the structural similarity (Wang et al. 2004) of absolute attribution summed over channels, the mean over
    frames.
    """

    spearman_signed: float
    spearman_absolute: float
    ssim: float


def likeness(maps: Maps, others: Maps, seed: int = 0) -> Likeness:
    """Of `maps` and `others` (N, K, H, W); at most `CELLS` cells are drawn with `seed` to be ranked.

    nan where one of the two does not vary. Raises `InputError` for maps of different shapes, or smaller than `WINDOW`.
    """
    lengths = check_axes(maps=(maps, "N K H W"), others=(others, "N K H W"))
    if min(lengths["H"], lengths["W"]) < WINDOW:
        raise InputError(f"Maps of {lengths['H']} x {lengths['W']} cells are smaller than a window of {WINDOW}.")
    drawn = np.random.default_rng(seed).choice(maps.size, min(maps.size, CELLS), replace=False)
    ours, theirs = maps.reshape(-1)[drawn], others.reshape(-1)[drawn]
    sums = [np.abs(signed).sum(axis=1) for signed in (maps, others)]
    similarities = [
        structural_similarity(x, y, win_size=WINDOW, data_range=float(max(x.max(), y.max())))
        for x, y in zip(*sums, strict=True)
    ]
    return Likeness(
        float(spearmanr(ours, theirs).statistic),
        float(spearmanr(np.abs(ours), np.abs(theirs)).statistic),
        float(np.mean(similarities)),
    )
