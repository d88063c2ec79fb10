"""Agreement against published tables, closed forms and enumeration."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from scoring.metrics.statistics import NO_NUMBER
from scoring.rating.agreement import (
    complete,
    group_means,
    icc,
    mean_spearman,
    rank_correlation,
    rating,
    rating_draws,
    spearman,
)

# Shrout and Fleiss (1979), table 2: six targets, four judges.
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)

# Hilton et al. (2020), footnote: share of interpretable features in percent, 100 to 100,000 levels, two agents each.
RESEARCHER_1 = [52.5, 22.5, 11.25, 45, 90, 75, 91.25, 15, 13.75, 15, 23.75, 53.75, 90, 96.25]
RESEARCHER_2 = [8.75, 8.75, 10, 26.25, 56.25, 90, 70, 3.75, 6.25, 21.25, 45, 72.5, 83.75, 77.5]


def test_the_published_example_of_shrout_and_fleiss() -> None:
    reliabilities = icc(SHROUT_FLEISS)
    assert reliabilities is not None
    single, average = reliabilities
    assert single.value == pytest.approx(0.29, abs=0.005)
    assert average.value == pytest.approx(0.62, abs=0.005)
    # From their mean squares (table 3: between targets 11.24, between judges 32.49, residual 1.02).
    assert single.value == pytest.approx((11.24 - 1.02) / (11.24 + 3 * 1.02 + 4 * (32.49 - 1.02) / 6), abs=0.001)
    # The limits that R's psych package prints for this table.
    assert single.interval == pytest.approx((0.019, 0.76), abs=0.005)
    assert average.interval == pytest.approx((0.07, 0.93), abs=0.005)


@pytest.mark.parametrize(("targets", "raters"), [(6, 4), (40, 3), (14, 2)])
def test_an_independent_library_finds_the_same(targets: int, raters: int) -> None:
    pingouin = pytest.importorskip("pingouin", reason="pingouin is not installed (pip install -e '.[test]')")
    generator = np.random.default_rng(0)
    table = generator.integers(0, 11, (targets, raters)) + 3 * generator.normal(size=(targets, 1))
    long = pd.DataFrame(
        {
            "target": np.repeat(np.arange(targets), raters),
            "rater": np.tile(np.arange(raters), targets),
            "rating": table.reshape(-1),
        }
    )
    theirs = pingouin.intraclass_corr(long, "target", "rater", "rating").set_index("Type")
    reliabilities = icc(table)
    assert reliabilities is not None
    for own, kind in zip(reliabilities, ("ICC(A,1)", "ICC(A,k)"), strict=True):
        assert own.value == pytest.approx(theirs.loc[kind, "ICC"], abs=1e-12)
        assert own.interval == pytest.approx(theirs.loc[kind, "CI95"], abs=0.0051)  # theirs is rounded


def test_the_two_researchers_of_hilton_et_al() -> None:
    table = np.array([RESEARCHER_1, RESEARCHER_2]).T
    reliabilities = icc(table)
    assert reliabilities is not None
    # From variances: with two raters the error is half the variance of their difference.
    difference, mean = table[:, 0] - table[:, 1], table.mean(axis=1)
    error, between = np.var(difference, ddof=1) / 2, 2 * np.var(mean, ddof=1)
    judges = 14 * difference.mean() ** 2 / 2
    assert reliabilities[0].value == pytest.approx((between - error) / (between + error + 2 * (judges - error) / 14))
    assert reliabilities[0].value == pytest.approx(0.82, abs=0.005)
    assert reliabilities[1].value == pytest.approx(0.90, abs=0.005)
    ranks = [np.array([np.mean([2 * (o < v) + (o == v) for o in row]) for v in row]) for row in table.T]
    assert mean_spearman(table) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert mean_spearman(table) == pytest.approx(0.79, abs=0.005)


@pytest.mark.parametrize("shift", [1.0, 2.5])
def test_a_rater_who_is_stricter_by_a_constant(shift: float) -> None:
    """Without other error ICC(2,1) is s2 / (s2 + d2 / 2) and ICC(2,2) is s2 / (s2 + d2 / 4)."""
    ratings = np.array([9.0, 4, 7, 3, 10, 6])
    s2 = ratings.var(ddof=1)
    table = np.stack([ratings, ratings - shift], axis=1)
    reliabilities = icc(table)
    assert reliabilities is not None
    assert reliabilities[0].value == pytest.approx(s2 / (s2 + shift**2 / 2))
    assert reliabilities[1].value == pytest.approx(s2 / (s2 + shift**2 / 4))
    assert reliabilities[0].interval[0] < reliabilities[0].value < reliabilities[0].interval[1] <= 1
    assert mean_spearman(table) == pytest.approx(1)


def test_complete_agreement_and_no_information() -> None:
    same = icc(np.repeat(np.arange(5.0)[:, None], 3, axis=1))
    assert same is not None
    assert (same[0].value, same[0].interval, same[1].value) == (1, (1, 1), 1)
    assert icc(np.full((5, 3), 7.0)) is None
    assert icc(np.arange(5.0)[:, None]) is None
    assert icc(np.arange(3.0)[None]) is None
    assert spearman(np.arange(2.0), np.arange(2.0)) is None
    assert spearman(np.arange(4.0), np.ones(4)) is None
    assert mean_spearman(np.arange(5.0)[:, None]) is None


def test_random_ratings_do_not_agree() -> None:
    values = [icc(np.random.default_rng(seed).integers(0, 11, (40, 3)).astype(float)) for seed in range(200)]
    single = [pair[0] for pair in values if pair is not None]
    assert np.mean([s.value for s in single]) == pytest.approx(0, abs=0.02)
    covered = np.mean([s.interval[0] <= 0 <= s.interval[1] for s in single])
    assert covered == pytest.approx(0.95, abs=0.04)


def test_incomplete_tables() -> None:
    table = np.array([[1, 2, np.nan], [3, np.nan, np.nan], [5, 6, np.nan]])
    np.testing.assert_array_equal(complete(table), [[1, 2], [5, 6]])
    assert complete(np.full((3, 2), np.nan)).size == 0
    means = group_means(table, np.array([0, 0, 1]), 3)
    np.testing.assert_array_equal(means, [[2, 2, np.nan], [5, 6, np.nan], [np.nan] * 3])


def test_the_interval_of_a_rating_against_all_resamples() -> None:
    """Three features and two raters have 27 x 4 resamples; the draws must have their distribution."""
    table = np.array([[0.0, 2], [4, 10], [9, 7]])
    exact = [
        np.mean(table[np.ix_(targets, raters)])
        for targets in product(range(3), repeat=3)
        for raters in product(range(2), repeat=2)
    ]
    draws = rating_draws(table, 40_000, seed=0)
    assert draws.mean() == pytest.approx(np.mean(exact), abs=0.05)
    assert draws.std() == pytest.approx(np.std(exact), abs=0.03)
    assert set(np.round(draws, 6)) == set(np.round(exact, 6))
    mean = rating(table, 4000)
    assert mean.value == pytest.approx(32 / 6)
    assert mean.interval == pytest.approx(np.quantile(exact, [0.025, 0.975]), abs=0.35)


def test_answers_that_are_missing_do_not_count() -> None:
    table = np.array([[4, np.nan], [6, np.nan], [8, np.nan]])
    mean = rating(table, 2000)
    alone = rating(table[:, :1], 2000)
    assert mean.value == alone.value == 6
    assert rating(np.full((3, 2), np.nan)) == NO_NUMBER


def test_the_correlation_of_four_agents_has_the_smallest_p_there_is() -> None:
    correlation = rank_correlation(np.array([1.0, 4, 6, 9]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert correlation is not None
    assert correlation[0] == pytest.approx(1)
    assert correlation[1] == pytest.approx(1 / 24)
    worst = rank_correlation(np.array([9.0, 6, 4, 1]), np.array([0.1, 0.2, 0.3, 0.4]))
    assert worst is not None
    assert worst[0] == pytest.approx(-1)
    assert worst[1] == pytest.approx(1)
    assert rank_correlation(np.array([1.0, 4, 6]), np.zeros(3)) is None
