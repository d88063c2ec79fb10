"""Intervals and tests against SciPy, enumeration, and their behaviour under the null hypothesis."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from rollouts.errors import InputError
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import (
    benjamini_hochberg,
    best_class_lift,
    bootstrap_multiplicities,
    interval,
    jackknife_interval,
    permutation_p_values,
)


def bank(environments, samples):
    return np.repeat(np.arange(environments), samples), np.tile(np.arange(samples), environments)


def constant_within(rng, environments, samples, channels):
    """Maps of 9 cells that hardly change within an environment, so that its frames count as one."""
    shared = rng.exponential(1, (environments, 1, channels, 3, 3))
    noise = 1 + 0.01 * rng.random((environments, samples, channels, 3, 3))
    return (shared * noise).reshape(environments * samples, channels, 3, 3)


def test_bootstrap_draws_environments_with_replacement():
    draws = bootstrap_multiplicities(8, 20_000, seed=0)
    assert draws.shape == (20_000, 8)
    assert (draws.sum(axis=1) == 8).all()
    np.testing.assert_allclose(draws.mean(axis=0), 1, atol=0.03)
    assert np.mean(draws == 0) == pytest.approx((7 / 8) ** 8, abs=0.005)
    np.testing.assert_array_equal(bootstrap_multiplicities(8, 5, seed=3), bootstrap_multiplicities(8, 5, seed=3))
    assert (draws[:5] != bootstrap_multiplicities(8, 5, seed=3)).any()


def test_one_environment_has_no_bootstrap():
    with pytest.raises(InputError, match="1 environments"):
        bootstrap_multiplicities(1, 10, seed=0)
    with pytest.raises(InputError, match="0 draws"):
        bootstrap_multiplicities(4, 0, seed=0)


def test_interval_takes_percentiles_and_leaves_nan_out():
    samples = np.stack([np.arange(101.0), np.arange(101.0), np.full(101, np.nan)], axis=1)
    samples[50:, 1] = np.nan
    with np.errstate(all="raise"):
        low, high = interval(samples, level=0.9)
    np.testing.assert_allclose(low, [5, 0.05 * 49, np.nan])
    np.testing.assert_allclose(high, [95, 0.95 * 49, np.nan])


def test_bootstrap_interval_has_the_width_of_the_sampling_distribution():
    rng = np.random.default_rng(1)
    masks = rng.random((64, 1, 3, 3))
    alpha = rng.random((64, 1, 3, 3)) + masks
    energies = Energies.from_maps(alpha, masks, *bank(64, 1))
    low, high = interval(energies.energy(bootstrap_multiplicities(64, 4000, seed=0)))[:, 0, 0]
    others = rng.random((2, 4000, 64, 9))
    w = others[0] + others[1]
    repeated = (w * others[1]).sum(axis=(1, 2)) / w.sum(axis=(1, 2))
    assert low < energies.energy()[0, 0] < high
    assert high - low == pytest.approx(np.diff(np.quantile(repeated, [0.025, 0.975]))[0], rel=0.25)


def test_best_class_lift_has_no_optimism():
    """Without any relation, the best of 9 classes looks like lift on the frames it is chosen on, and not on others."""
    rng = np.random.default_rng(2)
    everything, chosen_and_evaluated, held_out = (np.ones(9, bool), np.ones(10, bool)), [], []
    for seed in range(40):
        masks, alpha = constant_within(rng, 32, 2, 9) ** 2, constant_within(rng, 32, 2, 10)
        energies = Energies.from_maps(alpha, masks, *bank(32, 2))
        chosen_and_evaluated.append(energies.lift().max(axis=1).mean())
        lifts, mean = best_class_lift(energies, *everything, seed)
        assert mean == pytest.approx(lifts.mean())
        held_out.append(mean)
    assert np.mean(chosen_and_evaluated) > 0.15
    assert abs(np.mean(held_out)) < 0.03


def test_best_class_can_be_chosen_by_localisation():
    rng = np.random.default_rng(3)
    masks = constant_within(rng, 8, 2, 3)
    energies = Energies.from_maps(constant_within(rng, 8, 2, 2) * masks[:, :2], masks, *bank(8, 2))
    everything = np.ones(3, bool), np.ones(2, bool)
    localised, _ = best_class_lift(energies, *everything, seed=0, measure=Energies.localisation)
    lifts, _ = best_class_lift(energies, *everything, seed=0)
    assert abs(localised - lifts).min() > 0.01


def test_best_class_lift_finds_the_class_of_a_detector():
    rng = np.random.default_rng(3)
    masks = (rng.random((40, 3, 5, 5)) < 0.1).astype(float)
    alpha = np.stack([masks[:, 1], masks[:, 2], np.zeros((40, 5, 5)), rng.random((40, 5, 5))], axis=1)
    energies = Energies.from_maps(alpha, masks, *bank(20, 2))
    eligible, alive = np.array([True, True, False]), np.array([True, True, False, False])
    lifts, mean = best_class_lift(energies, eligible, alive, seed=0)
    assert lifts[0] == pytest.approx(energies.lift()[0, 1], abs=0.1)
    assert lifts[0] > 3
    assert lifts[1] < 1
    assert np.isnan(lifts[2])
    assert mean == pytest.approx((lifts[0] + lifts[1]) / 2)
    assert np.isnan(best_class_lift(energies, np.zeros(3, bool), alive, seed=0)[0]).all()


def test_best_class_lift_needs_two_environments_in_each_half():
    maps = np.ones((3, 1, 2, 2))
    with pytest.raises(InputError, match="at least 4"):
        best_class_lift(Energies.from_maps(maps, maps, *bank(3, 1)), np.ones(1, bool), np.ones(1, bool), seed=0)


def test_permutation_p_is_that_of_the_enumeration():
    rng = np.random.default_rng(4)
    masks = rng.random((12, 2, 3, 3))
    alpha = rng.normal(size=(12, 3, 3, 3)) * (0.5 + masks[:, :1])
    environment, time = bank(4, 3)
    p = permutation_p_values(Energies.from_maps(alpha, masks, environment, time), draws=20_000, seed=0)
    for k in range(3):
        for c in range(2):
            sums = [
                sum((abs(alpha[3 * e + t, k]) * masks[3 * s[e] + t, c]).sum() for e in range(4) for t in range(3))
                for s in permutations(range(4))
            ]
            exact = np.mean([value >= sums[0] - 1e-12 for value in sums])
            assert p[k, c] == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


def test_permutation_p_is_uniform_under_the_null():
    """Frames of one environment are nearly copies: permuting frames instead of environments would fail here."""
    rng = np.random.default_rng(5)
    p = []
    for seed in range(400):
        alpha, masks = constant_within(rng, 8, 6, 1), constant_within(rng, 8, 6, 1)
        p.append(permutation_p_values(Energies.from_maps(alpha, masks, *bank(8, 6)), draws=199, seed=seed)[0, 0])
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert np.mean(np.array(p) <= 0.05) == pytest.approx(0.05, abs=0.035)


def test_permutation_p_is_small_for_a_detector_and_one_for_ties():
    rng = np.random.default_rng(6)
    masks = constant_within(rng, 12, 2, 3)
    masks[:, 1], masks[:, 2] = rng.random((3, 3)), 0
    alpha = np.stack([masks[:, 0], 1 / masks[:, 0], np.ones((24, 3, 3))], axis=1)
    p = permutation_p_values(Energies.from_maps(alpha, masks, *bank(12, 2)), draws=999)
    assert p[0, 0] == 0.001
    assert p[1, 0] > 0.99
    assert (p[:, 1:] == 1).all()
    assert (p[2] == 1).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from([0.01, 0.05, 0.2]))
def test_benjamini_hochberg_agrees_with_scipy(values, level):
    p = np.array(values)
    expected = stats.false_discovery_control(p) <= level
    np.testing.assert_array_equal(benjamini_hochberg(p, level), expected)
    with_nan = np.stack([p, np.full_like(p, np.nan)])
    np.testing.assert_array_equal(benjamini_hochberg(with_nan, level), [expected, np.zeros_like(expected)])


def test_benjamini_hochberg_rejects_below_a_later_success():
    p = np.array([[0.01, 0.035], [0.04, 0.9]])
    assert benjamini_hochberg(p).tolist() == [[True, False], [False, False]]
    assert benjamini_hochberg(p, 0.06).tolist() == [[True, True], [True, False]]
    assert not benjamini_hochberg(np.full((2, 2), np.nan)).any()


def test_jackknife_interval_of_a_mean_is_the_textbook_one():
    values = np.random.default_rng(0).normal(size=40)
    left_out = (values.sum() - values) / 39
    low, high = jackknife_interval(values.mean(), left_out)
    half = 1.959964 * values.std(ddof=1) / np.sqrt(40)
    np.testing.assert_allclose((low, high), (values.mean() - half, values.mean() + half), rtol=1e-6)
