"""How far raters agree, what they think of each agent, and whether the score thinks the same.

Ratings are a table (n, k): n targets (features, or agents) rated by k raters, nan where an answer is missing."""

from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import f, permutation_test, spearmanr

from scoring.metrics.arrays import FloatArray, IntArray, ratio
from scoring.metrics.statistics import NO_NUMBER, Number, number

Interval = tuple[float, float]


def complete(ratings: FloatArray) -> FloatArray:
    """The targets that every rater rated, without raters who rated none."""
    answered = ~np.isnan(ratings)
    present = ratings[:, answered.any(axis=0)]
    return present[~np.isnan(present).any(axis=1)]


def spearman(x: FloatArray, y: FloatArray) -> float | None:
    """Rank correlation, ties at their mean rank; None below three pairs, or where one of the two does not vary."""
    if len(x) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return None
    return float(spearmanr(x, y).statistic)


def mean_spearman(ratings: FloatArray) -> float | None:
    """Mean rank correlation over all pairs of raters of a complete table; None where no pair has one."""
    pairs = [spearman(ratings[:, a], ratings[:, b]) for a, b in combinations(range(ratings.shape[1]), 2)]
    known = [value for value in pairs if value is not None]
    return float(np.mean(known)) if known else None


def icc(ratings: FloatArray) -> tuple[Number, Number] | None:
    """ICC(2,1), one rater's reliability, and ICC(2,k), that of the mean of all k, from a complete table.

    Targets and raters both drawn at random, absolute agreement (Shrout and Fleiss 1979, case 2; ICC(A,1) and ICC(A,k)
    of McGraw and Wong 1996, whose table 7 has the interval of the first; the Spearman-Brown formula makes it that of
    the second). None below two targets or two raters, or where all ratings are the same.
    """
    n, k = ratings.shape
    if n < 2 or k < 2 or np.ptp(ratings) == 0:
        return None
    grand, targets, raters = ratings.mean(), ratings.mean(axis=1), ratings.mean(axis=0)
    between = k * np.sum((targets - grand) ** 2) / (n - 1)
    judges = n * np.sum((raters - grand) ** 2) / (k - 1)
    error = np.sum((ratings - targets[:, None] - raters + grand) ** 2) / ((n - 1) * (k - 1))
    single = (between - error) / (between + (k - 1) * error + k * (judges - error) / n)
    average = (between - error) / (between + (judges - error) / n)
    limits = _limits(float(single), between, judges, error, n, k)
    stepped = tuple(limit * k / (1 + limit * (k - 1)) for limit in limits)
    return Number(float(single), limits), Number(float(average), (stepped[0], stepped[1]))


def _limits(single: float, between: float, judges: float, error: float, n: int, k: int) -> Interval:
    """The 95 % interval of ICC(2,1) from the mean squares of targets, raters and error."""
    systematic, left = k * single * judges, (n * (1 + (k - 1) * single) - k * single) * error
    spread = (n - 1) * systematic**2 + left**2
    if spread == 0:  # every rater gave every target the same rating
        return 1.0, 1.0
    freedom = (k - 1) * (n - 1) * (systematic + left) ** 2 / spread
    upper, lower = f.ppf(0.975, n - 1, freedom), f.ppf(0.975, freedom, n - 1)
    both = k * judges + (k * n - k - n) * error
    return (
        float(n * (between - upper * error) / (upper * both + n * between)),
        float(n * (lower * between - error) / (both + n * lower * between)),
    )


def group_means(ratings: FloatArray, group: IntArray, groups: int) -> FloatArray:
    """Each rater's mean rating (groups, k) of the targets of each group; nan where there is none."""
    answered = (~np.isnan(ratings)).astype(np.float64)
    member = (np.arange(groups)[:, None] == group).astype(np.float64)
    return ratio(member @ np.nan_to_num(ratings), member @ answered)


def rating_draws(ratings: FloatArray, draws: int, seed: int) -> FloatArray:
    """Mean rating in each bootstrap draw (draws,): targets and raters both drawn with replacement (Owen 2007).

    nan for a draw without any answer. With the same seed, draw i has the same raters for every agent.
    """
    n, k = ratings.shape
    raters = np.random.default_rng(seed).multinomial(k, np.full(k, 1 / k), size=draws)
    targets = np.random.default_rng([seed, 1]).multinomial(n, np.full(n, 1 / n), size=draws)
    answered = (~np.isnan(ratings)).astype(np.float64)
    total = np.einsum("dn,nk,dk->d", targets, np.nan_to_num(ratings), raters, optimize=True)
    count = np.einsum("dn,nk,dk->d", targets, answered, raters, optimize=True)
    return ratio(total, count)


def rating(ratings: FloatArray, draws: int = 2000, seed: int = 0) -> Number:
    """Mean of an agent's ratings (n, k), nan left out, with its 95 % bootstrap interval; none without an answer."""
    if np.isnan(ratings).all():
        return NO_NUMBER
    return number(float(np.nanmean(ratings)), rating_draws(ratings, draws, seed))


def rank_correlation(x: FloatArray, y: FloatArray, seed: int = 0) -> tuple[float, float] | None:
    """Spearman's correlation of agents' ratings x and scores y, and its one-sided p by permutation of the agents.

    Exact up to seven agents (5,040 orders), 9,999 draws above; None where `spearman` is.
    """
    value = spearman(x, y)
    if value is None:
        return None

    def statistic(permuted: NDArray[np.float64]) -> float:
        return float(spearmanr(permuted, y).statistic)

    test = permutation_test(
        (x,),
        statistic,
        permutation_type="pairings",
        alternative="greater",
        n_resamples=9999,
        rng=np.random.default_rng(seed),
    )
    return value, float(test.pvalue)
