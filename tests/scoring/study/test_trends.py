"""Tests of a trend against tables, another library and slow loops."""

from itertools import permutations

import numpy as np
import pytest
from scipy.stats import spearmanr

from rollouts.errors import InputError
from scoring.study.trends import exact_spearman, holm, jonckheere_terpstra, power


@pytest.mark.parametrize(
    ("values", "rho", "p"),
    [
        # Tables of the exact distribution have p = .0062 for 7 rungs and rho >= .893.
        ([1, 2, 3, 4, 5, 6, 7], 1.0, 1 / 5040),
        ([1, 2, 4, 3, 7, 6, 5], 1 - 6 * 10 / 336, None),
        ([3, 1, 2, 4, 5, 6, 7], 1 - 6 * 6 / 336, 0.0062),
        ([3, 2, 1, 4, 6, 7, 5], 1 - 6 * 14 / 336, None),
        ([2, 2, 2], 0.0, 1.0),
    ],
)
def test_exact_spearman(values: list[float], rho: float, p: float | None) -> None:
    found, probability = exact_spearman(values)
    assert found == pytest.approx(rho)
    if p is not None:
        assert probability == pytest.approx(p, abs=5e-5)


def test_exact_p_is_the_share_of_all_orders_ties_included() -> None:
    values = [0.1, 0.3, 0.3, 0.2, 0.9]
    rho, p = exact_spearman(values)
    assert rho == pytest.approx(spearmanr(range(5), values).statistic)
    rhos = [spearmanr(range(5), order).statistic for order in permutations(values)]
    assert p == pytest.approx(np.mean(np.array(rhos) >= rho - 1e-9))
    assert [round(exact_spearman([*range(7)])[1] * 5040)] == [1]
    with pytest.raises(InputError, match="over 2 rungs"):
        exact_spearman([1, 2])


def test_jonckheere_terpstra_counts_pairs_and_is_level() -> None:
    assert jonckheere_terpstra(np.array([[1.0, 2, 3], [2, 3, 4]]), draws=99)[0] == pytest.approx((10 + 0.5 * 2) / 12)
    rising = np.array([[1.0, 2, 3, 4, 5, 6, 7], [1, 3, 2, 4, 6, 5, 7]])
    assert jonckheere_terpstra(rising, draws=999)[1] <= 0.002
    missing = rising.copy()
    missing[1, 3:] = np.nan
    assert 0.9 < jonckheere_terpstra(missing, draws=99)[0] <= 1
    generator = np.random.default_rng(0)
    p = [jonckheere_terpstra(generator.standard_normal((2, 5)), draws=99, seed=i)[1] for i in range(200)]
    assert 0.02 <= np.mean(np.array(p) <= 0.1) <= 0.18  # 0.1 if level


def test_holm_by_hand() -> None:
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}) == pytest.approx(
        {"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02}
    )
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}


def test_power_from_none_to_all() -> None:
    assert power([0] * 7, 1.0) == pytest.approx(0.044, abs=0.015)  # the test's true level
    assert power(range(7), 0.01) == 1
    generator = np.random.default_rng(1)
    found = [exact_spearman(np.arange(7) + 4 * generator.standard_normal(7))[1] <= 0.05 for _ in range(500)]
    assert power(range(7), 4.0) == pytest.approx(np.mean(found), abs=0.07)
