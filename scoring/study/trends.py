"""Does a number rise along the ladder? Exact and permutation tests of a trend, Holm's correction, and power.

A ladder has R rungs in order of their number of levels; values (R,) are rung means, one a rung.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from rollouts.errors import InputError
from scoring.metrics.arrays import FloatArray

LEAST_RUNGS = 3
MOST_RUNGS = 8
"""Rungs of which all orders are still few enough to go through: 40,320."""


@cache
def _orders(count: int) -> NDArray[np.int64]:
    """All orders (count!, count) of `count` things."""
    return np.array(list(permutations(range(count))))


def _standardised(ranks: FloatArray) -> FloatArray:
    centred = ranks - ranks.mean(axis=-1, keepdims=True)
    norm = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    return np.divide(centred, norm, out=np.zeros_like(centred), where=norm > 0)


def exact_spearman(values: Sequence[float] | FloatArray) -> tuple[float, float]:
    """Spearman's rho of `values` (R,) with their order, and the exact one-sided p of rho at least as large.

    Ties share their mean rank, and the orders of all R! arrangements of those ranks are equally likely under the null
    hypothesis. Values that are all equal have rho 0 and p 1. Raises `InputError` for fewer than 3 rungs or more than 8.
    """
    own = np.asarray(values, dtype=float)
    if not LEAST_RUNGS <= len(own) <= MOST_RUNGS:
        raise InputError(f"A trend over {len(own)} rungs cannot be tested exactly; {LEAST_RUNGS} to {MOST_RUNGS} can.")
    ranks, order = rankdata(own), _standardised(np.arange(len(own), dtype=float))
    rho = float(_standardised(ranks) @ order)
    others = _standardised(ranks)[_orders(len(own))] @ order
    return rho, float(np.mean(others >= rho - 1e-12))


def jonckheere_terpstra(values: FloatArray, draws: int = 9999, seed: int = 0) -> tuple[float, float]:
    """Jonckheere and Terpstra's statistic over seeds, and its one-sided permutation p.

    `values` (S, R): S seeds of R rungs, nan where an agent is missing. The statistic counts the pairs of agents of the
    same or of different seeds in which the one of the higher rung has the higher value, ties one half, as a share of
    all pairs of different rungs. Rungs are permuted within each seed, which keeps what a seed's agents have in common
    (`draws` permutations beside the one observed).
    """
    observed = _concordance(values)
    generator = np.random.default_rng(seed)
    as_large = 1
    for _ in range(draws):
        moved = values.copy()
        for row in moved:
            present = ~np.isnan(row)
            row[present] = generator.permutation(row[present])
        as_large += _concordance(moved) >= observed - 1e-12
    return observed, as_large / (draws + 1)


def _concordance(values: FloatArray) -> float:
    higher = total = 0.0
    for rung in range(values.shape[1]):
        below, above = values[:, rung], values[:, rung + 1 :].reshape(-1)
        below, above = below[~np.isnan(below)], above[~np.isnan(above)]
        difference = above[None, :] - below[:, None]
        higher += float((difference > 0).sum() + 0.5 * (difference == 0).sum())
        total += difference.size
    return higher / total if total else float("nan")


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """Holm's (1979) adjusted p of each test; they are compared with the level as they stand."""
    adjusted, largest = {}, 0.0
    for rank, (name, value) in enumerate(sorted(p.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, value * (len(p) - rank)))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p}


def power(
    shape: Sequence[float] | FloatArray, deviation: float, level: float = 0.05, draws: int = 2000, seed: int = 0
) -> float:
    """Chance that `exact_spearman` finds p <= `level` where rungs are `shape` (R,) plus normal noise of a deviation."""
    generator = np.random.default_rng(seed)
    least = critical(len(shape), level)
    noisy = np.asarray(shape) + deviation * generator.standard_normal((draws, len(shape)))
    order = _standardised(np.arange(len(shape), dtype=float))
    rhos = _standardised(rankdata(noisy, axis=1)) @ order
    return float(np.mean(rhos >= least - 1e-12))


@cache
def critical(rungs: int, level: float) -> float:
    """The least rho without ties whose one-sided p is at most `level`; infinite where no order of so few has one."""
    order = _standardised(np.arange(rungs, dtype=float))
    rhos = np.sort(order[_orders(rungs)] @ order)[::-1]
    allowed = int(level * len(rhos) + 1e-9)
    values, counts = np.unique(np.round(rhos, 12), return_counts=True)
    from_above = np.cumsum(counts[::-1])
    within = np.flatnonzero(from_above <= allowed)
    return float(values[::-1][within[-1]]) if len(within) else float("inf")
