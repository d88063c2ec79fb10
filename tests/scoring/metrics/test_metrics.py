"""The scores against loops over frames, random re-pairings, and numbers worked out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.coinrun.table import COINRUN
from rollouts.errors import InputError
from scoring.metrics.energies import Effect, Energies, Ratio, eligible
from scoring.metrics.orbay import orbay2020, threshold
from scoring.rules import Judging, Values, Version1, Version2
from scoring.verdict import distinct_classes

ENVIRONMENTS, SAMPLES, FEATURES, CLASSES, SIDE = 5, 3, 2, 3, 4
FRAMES = ENVIRONMENTS * SAMPLES
ENVIRONMENT = np.repeat(np.arange(ENVIRONMENTS), SAMPLES) * 10
TIME = np.tile(np.arange(SAMPLES), ENVIRONMENTS) * 33
MEASURES = ("energy", "chance_between", "chance_within", "lift", "localisation", "kappa", "sign")


def random_data(seed=0):
    """Signed maps of unequal mass that follow the masks; masks that are alike within an environment."""
    rng = np.random.default_rng(seed)
    shared = rng.random((ENVIRONMENTS, 1, CLASSES, SIDE, SIDE)) ** 4
    masks = (0.8 * shared + 0.2 * rng.random((ENVIRONMENTS, SAMPLES, CLASSES, SIDE, SIDE))).reshape(
        FRAMES, -1, SIDE, SIDE
    )
    alpha = rng.normal(0.2, 1, (FRAMES, FEATURES, SIDE, SIDE)) * (0.2 + masks[:, :FEATURES])
    alpha *= rng.exponential(1, (FRAMES, FEATURES, 1, 1))
    alpha[4] = 0
    return alpha, masks


@pytest.fixture(scope="module")
def data():
    return random_data()


@pytest.fixture(scope="module")
def energies(data):
    return Energies.from_maps(*data, ENVIRONMENT, TIME)


def slow_measures(alpha, masks, origin):
    """E, E0, Ew and the sign by loops over frames and cells; frames of one `origin` are never paired for E0."""
    frames, features, height, width = alpha.shape
    result = np.zeros((4, features, masks.shape[1]))
    cells = [(r, s) for r in range(height) for s in range(width)]
    for k in range(features):
        w = abs(alpha[:, k])
        mass = w.sum()
        average = sum(w[i] for i in range(frames)) / mass
        for c in range(masks.shape[1]):
            on_class = signed = between = within = 0.0
            for i in range(frames):
                others = [j for j in range(frames) if origin[j] != origin[i]]
                for r, s in cells:
                    on_class += w[i, r, s] * masks[i, c, r, s]
                    signed += alpha[i, k, r, s] * masks[i, c, r, s]
                    between += w[i, r, s] * sum(masks[j, c, r, s] for j in others) / len(others)
                    within += w[i].sum() / mass * average[r, s] * masks[i, c, r, s]
            result[:, k, c] = on_class / mass, between / mass, within, signed / on_class
    return result


def test_energy_chances_and_sign_are_those_of_the_loops(data, energies):
    expected = slow_measures(*data, ENVIRONMENT)
    for name, value in zip(("energy", "chance_between", "chance_within", "sign"), expected, strict=True):
        np.testing.assert_allclose(getattr(energies, name)(), value, rtol=1e-12, err_msg=name)


def test_between_chance_is_the_mean_over_random_pairings(data, energies):
    alpha, masks = data
    w = abs(alpha).reshape(FRAMES, FEATURES, -1)
    y = masks.reshape(FRAMES, CLASSES, -1)
    rng = np.random.default_rng(1)
    draws = 10_000
    total = np.zeros((draws, FEATURES, CLASSES))
    for i in range(FRAMES):
        partner = rng.choice(np.flatnonzero(ENVIRONMENT - ENVIRONMENT[i]), draws)
        total += w[i] @ y[partner].swapaxes(1, 2)
    pairings = total / w.sum(axis=(0, 2))[:, None]
    error = pairings.std(axis=0) / np.sqrt(draws)
    assert np.all(abs(energies.chance_between() - pairings.mean(axis=0)) < 4 * error)
    any_frame = np.einsum("ikp,jcp->kc", w, y) / FRAMES / w.sum(axis=(0, 2))[:, None]
    assert np.all(abs(any_frame - pairings.mean(axis=0)).max(axis=1) > 20 * error.max(axis=1))


def test_within_chance_is_the_mean_over_random_positions(data, energies):
    alpha, masks = data
    w = abs(alpha).reshape(FRAMES, FEATURES, -1)
    y = masks.reshape(FRAMES, CLASSES, -1)
    rng = np.random.default_rng(2)
    draws = 10_000
    for k in range(FEATURES):
        average = w[:, k].sum(axis=0) / w[:, k].sum()
        share = w[:, k].sum(axis=1) / w[:, k].sum()
        positions = rng.choice(average.size, (draws, FRAMES), p=average)
        drawn = sum(share[i] * y[i][:, positions[:, i]].T for i in range(FRAMES))
        error = drawn.std(axis=0) / np.sqrt(draws)
        assert np.all(abs(energies.chance_within()[k] - drawn.mean(axis=0)) < 4 * error)
        equal_shares = y.mean(axis=0) @ average
        assert abs(equal_shares - drawn.mean(axis=0)).max() > 20 * error.max()


def test_lift_localisation_and_kappa_follow_from_energy_and_chances(energies):
    energy, between, within = energies.energy(), energies.chance_between(), energies.chance_within()
    np.testing.assert_allclose(2 ** energies.lift(), (energy + 1e-6) / (between + 1e-6))
    np.testing.assert_allclose(2 ** energies.localisation(), (energy + 1e-6) / (within + 1e-6))
    np.testing.assert_allclose(energies.kappa() * (1 - within) + within, energy)


def test_the_order_of_frames_does_not_matter(data, energies):
    alpha, masks = data
    order = np.random.default_rng(3).permutation(FRAMES)
    shuffled = Energies.from_maps(alpha[order], masks[order], ENVIRONMENT[order], TIME[order])
    for name in ("aligned", "between", "within", "signed", "mass"):
        np.testing.assert_allclose(getattr(shuffled, name), getattr(energies, name), err_msg=name)


def test_aligned_pairs_frames_at_equal_times(data, energies):
    alpha, masks = data
    on = [(1 * SAMPLES + t, 3 * SAMPLES + t) for t in range(SAMPLES)]
    expected = sum((abs(alpha[i, 0]) * masks[j, 2]).sum() for i, j in on)
    np.testing.assert_allclose(energies.aligned[0, 2, 1, 3], expected)


@given(st.floats(1e-3, 1e3), st.integers(0, 20))
def test_measures_ignore_the_scale_of_a_feature(scale, seed):
    alpha, masks = random_data(seed)
    scaled = alpha * np.array([scale, 1])[:, None, None]
    for name in MEASURES:
        values = [getattr(Energies.from_maps(a, masks, ENVIRONMENT, TIME), name)() for a in (alpha, scaled)]
        np.testing.assert_allclose(*values, rtol=1e-9, atol=1e-12, err_msg=name)


def test_weighted_measures_are_those_of_duplicated_environments(data, energies):
    alpha, masks = data
    weights = np.array([[2, 0, 1, 1, 1], [1, 1, 1, 1, 1], [0, 3, 0, 1, 1]])
    for draw, m in enumerate(weights):
        frames = np.flatnonzero(np.repeat(m, SAMPLES))
        frames = np.repeat(frames, np.repeat(m, SAMPLES)[frames])
        expected = slow_measures(alpha[frames], masks[frames], ENVIRONMENT[frames])
        for name, value in zip(("energy", "chance_between", "chance_within", "sign"), expected, strict=True):
            np.testing.assert_allclose(getattr(energies, name)(weights)[draw], value, rtol=1e-12, err_msg=name)
            np.testing.assert_allclose(getattr(energies, name)(m), value, rtol=1e-12, err_msg=name)


def test_measures_keep_the_axes_of_the_weights(energies):
    for name in MEASURES:
        assert getattr(energies, name)().shape == (FEATURES, CLASSES)
        assert getattr(energies, name)(np.ones((3, 2, ENVIRONMENTS))).shape == (3, 2, FEATURES, CLASSES)


def moving_square(size=8):
    """One class: in each frame of each environment a 2 x 2 square at a random place."""
    rng = np.random.default_rng(4)
    masks = np.zeros((FRAMES, 1, size, size))
    for i, (r, s) in enumerate(rng.integers(0, size - 1, (FRAMES, 2))):
        masks[i, 0, r : r + 2, s : s + 2] = 1
    return masks


def test_a_perfect_map_has_kappa_one_and_its_sign():
    masks = moving_square()
    energies = Energies.from_maps(-masks, masks, ENVIRONMENT, TIME)
    assert energies.chance_within() < 0.5
    assert energies.kappa() == pytest.approx(1)
    assert energies.sign() == pytest.approx(-1)
    assert energies.lift() == pytest.approx(-np.log2(energies.chance_between() + 1e-6), abs=1e-4)


def test_maps_that_never_change_are_at_chance():
    masks = moving_square()
    constant = np.stack([np.ones((8, 8)), np.random.default_rng(5).random((8, 8))])
    energies = Energies.from_maps(np.broadcast_to(constant, (FRAMES, 2, 8, 8)), masks, ENVIRONMENT, TIME)
    np.testing.assert_allclose(energies.energy()[0], 4 / 64)
    np.testing.assert_allclose(energies.kappa(), 0, atol=1e-12)
    np.testing.assert_allclose(energies.lift(), 0, atol=1e-9)


def test_random_maps_are_near_chance():
    rng = np.random.default_rng(6)
    environment, time = np.repeat(np.arange(32), 8), np.tile(np.arange(8), 32)
    maps = rng.normal(size=(256, 3, 8, 8))
    masks = (rng.random((256, 2, 8, 8)) < 0.1).astype(float)
    energies = Energies.from_maps(maps, masks, environment, time)
    assert abs(energies.kappa()).max() < 0.01
    assert abs(energies.lift()).max() < 0.1


def test_what_has_no_number_is_nan(data):
    alpha, masks = data
    alpha, masks = alpha.copy(), masks.copy()
    alpha[:, 0], masks[:, 0] = 0, 0
    energies = Energies.from_maps(alpha, masks, ENVIRONMENT, TIME)
    np.testing.assert_array_equal(energies.share(), [0, 1])
    assert all(np.isnan(getattr(energies, name)()[0]).all() for name in MEASURES)
    assert np.isnan(energies.sign()[1, 0])
    assert energies.kappa()[1, 0] == energies.lift()[1, 0] == 0


def test_one_environment_has_no_chance_between_frames(data, energies):
    single = Energies.from_maps(*data, np.zeros(FRAMES, int), np.arange(FRAMES))
    assert np.isnan(single.chance_between()).all()
    np.testing.assert_allclose(single.kappa(), energies.kappa())
    assert np.isnan(energies.chance_between(np.array([0, 5, 0, 0, 0]))).all()


@pytest.mark.parametrize(
    ("environment", "time", "message"),
    [
        ([0, 0, 1, 1, 1], [0, 1, 0, 1, 2], "Environment 1 has another number of frames"),
        ([0, 0, 7, 7], [0, 1, 0, 2], "Environment 7 was sampled at other times"),
        ([0, 0, 1, 1], [3, 3, 3, 3], "two frames at the same sampling time"),
    ],
)
def test_environments_that_do_not_match_are_refused(environment, time, message):
    maps = np.ones((len(time), 1, 2, 2))
    with pytest.raises(InputError, match=message):
        Energies.from_maps(maps, maps, np.array(environment), np.array(time))


def test_causal_effect_by_hand():
    original = np.array([[[4.0, 0, 6], [0, 0, 0]]])
    removed = np.array([[[1.0, 0, 4], [0, 0, 0]]])
    left = Ratio(removed, original)
    effect = Effect(left, left, left)
    np.testing.assert_allclose(effect.causal(), [[0.5, np.nan]])
    draws = np.array([[2, 1, 0], [0, 3, 0], [0, 0, 3]])
    np.testing.assert_allclose(effect.causal(draws)[:, 0, 0], [0.75, np.nan, 1 / 3])


def test_eligible_counts_episodes_and_not_frames():
    episode = np.repeat(np.arange(5), 2)
    pixels = np.zeros((10, 4), int)
    pixels[::2, 0] = 4
    pixels[:, 1] = 3
    pixels[:8, 2] = 50
    pixels[1::2, 3] = 9
    np.testing.assert_array_equal(eligible(pixels, episode, min_episodes=5), [True, False, False, True])
    np.testing.assert_array_equal(eligible(pixels, episode, 3, 4), [True, True, True, True])
    assert not eligible(pixels, episode).any()


KINDS = [COINRUN.kind(name) for name in ("coin", "saw", "surface", "crate", "wall")]


def verdict(kappa, sign, causal, lower=0.01, kinds=KINDS, allowed=True, alive=True):
    """Class of a single feature, named, or None."""
    values = values_of(*(np.array([row]) for row in (kappa, sign, causal)))
    judging = Judging(kinds, np.full(len(kinds), allowed), np.array([alive]), np.arange(len(kinds)))
    found, which = Version1().interpretable(values, np.full(values.kappa.shape, lower), judging)
    assert found[0] == (which[0] >= 0)
    return kinds[which[0]].name if found[0] else None, Version1().graded(values, judging)[0]


def values_of(kappa, sign, causal, outline=np.nan):
    return Values(kappa, sign, causal, np.full_like(kappa, outline))


def test_surface_names_a_feature_only_if_no_other_class_does() -> None:
    """A saw stands on a surface: its detector is on both, and only of the saw can it be shown that it is the cause."""
    kappa, sign = (0.0, 0.2, 0.6, 0.0, 0.0), (0, -1, -1, 0, 0)
    assert verdict(kappa, sign, (0, 0.9, np.nan, 0, 0))[0] == "saw"
    assert verdict(kappa, sign, (0, 0.4, np.nan, 0, 0))[0] == "surface"
    assert verdict((0, 0, 0.2, 0, 0), sign, (0, 0, np.nan, 0, 0))[0] == "surface"
    assert verdict((0, 0, 0.19, 0, 0), sign, (0, 0, np.nan, 0, 0))[0] is None, (
        "no causal test, so more is asked of kappa"
    )


def test_interpretable_and_graded_by_hand():
    zero = (0, 0, 0, 0)
    assert verdict((0.16, *zero), (1, *zero), (1, *zero)) == ("coin", pytest.approx(0.4))
    assert verdict((0.64, *zero), (1, *zero), (0.25, *zero)) == (None, pytest.approx(0.4))
    assert verdict((0.16, *zero), (-1, *zero), (1, *zero)) == (None, pytest.approx(0.4))
    assert verdict((0, 0.5, 0, 0, 0), (0, -0.5, 0, 0, 0), (0, 3, 0, 0, 0)) == ("saw", pytest.approx(0.5))
    assert verdict((0, 0.5, 0, 0, 0), (0, 0.5, 0, 0, 0), (0, 3, 0, 0, 0))[0] is None
    assert verdict((0, 0, 0.5, 0, 0), (0, 0, -0.5, 0, 0), (0, 0, np.nan, 0, 0)) == ("surface", pytest.approx(0.5))
    assert verdict((0, 0, 0, 0.5, 0), (0, 0, 0, -0.5, 0), (0, 0, 0, np.nan, 0)) == (None, 0)
    assert verdict((0, 0, 0, 0.5, 0), (0, 0, 0, 0.5, 0), (0, 0, 0, 1, 0)) == ("crate", pytest.approx(0.5))
    assert verdict((0, 0, 0, 0, 0.9), (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)) == (None, 0)
    assert verdict((-0.5, *zero), (1, *zero), (1, *zero)) == (None, 0)
    assert verdict((np.nan, *zero), (1, *zero), (1, *zero)) == (None, 0)


def test_interpretable_needs_certainty_an_eligible_class_and_life():
    scores = ((0.16, 0, 0, 0, 0), (1, 0, 0, 0, 0), (1, 0, 0, 0, 0))
    assert verdict(*scores, lower=0.0) == (None, pytest.approx(0.4))
    assert verdict(*scores, allowed=False) == (None, 0)
    assert verdict(*scores, alive=False) == (None, 0)


def test_a_feature_of_several_classes_is_given_the_one_with_the_highest_kappa():
    assert verdict((0.3, 0.4, 0.2, 0.9, 0), (0.9, -0.9, 1, 0.1, 0), (1, 1, 1, 1, 1))[0] == "saw"


@pytest.mark.parametrize("rule", [Version1(), Version2()])
def test_interpretable_takes_bootstrap_draws(rule):
    rng = np.random.default_rng(7)
    kappa, sign, causal = rng.normal(0.2, 0.3, (3, 40, 6, 5))
    lower, judging = (
        np.full((6, 5), 0.1),
        Judging(KINDS, np.array([1, 1, 1, 0, 1], bool), np.arange(6) > 0, np.arange(5)),
    )
    found, which = rule.interpretable(values_of(kappa, sign, causal), lower, judging)
    scores = rule.graded(values_of(kappa, sign, causal), judging)
    assert found.any()
    for d in range(40):
        single = values_of(kappa[d], sign[d], causal[d])
        np.testing.assert_array_equal(which[d], rule.interpretable(single, lower, judging)[1])
        np.testing.assert_array_equal(scores[d], rule.graded(single, judging))
        assert distinct_classes(which)[d] == len(set(which[d][found[d]]))


CONCEPTS = COINRUN.with_concepts()


SMALL = ("enemy_left", "enemy_right", "end_left", "end_right", "foot_left", "foot_right")


def second(name, kappa, causal=1.0, outline=np.nan, sign=0.0, **others):
    """What version 2 makes of a feature with these values on one concept, and these kappas on others."""
    pixels = np.array([10 if kind.name in SMALL else 100 for kind in CONCEPTS.kinds])
    shape = (1, len(CONCEPTS.kinds))
    values = Values(np.zeros(shape), np.zeros(shape), np.full(shape, causal), np.full(shape, outline))
    values.sign[:] = sign
    for other, number in {name: kappa, **others}.items():
        values.kappa[0, CONCEPTS.index(other)] = number
    judging = Judging(CONCEPTS.kinds, np.ones(shape[1], bool), np.ones(1, bool), pixels)
    found, which = Version2().interpretable(values, np.full(shape, 0.01), judging)
    return CONCEPTS.names[which[0]] if found[0] else None, Version2().graded(values, judging)[0]


def test_version_2_by_hand():
    assert second("top", 0.36, outline=1.0, sign=0.0) == ("top", pytest.approx(0.6)), "walls have no sense"
    assert second("top", 0.36, causal=0.4, outline=0.9)[0] is None
    assert second("top", 0.36, outline=0.25) == (None, pytest.approx(0.3)), "an outline alone would do"
    assert second("top", 0.34, outline=0.9)[0] is None
    assert second("coin", 0.16, sign=0.01) == ("coin", pytest.approx(0.4))
    assert second("coin", 0.16, sign=-0.01) == (None, 0)
    assert second("enemy_left", 0.16, sign=-0.01)[0] == "enemy_left"
    assert second("enemy_left", 0.35, sign=-0.01, enemy=0.4)[0] == "enemy", "it answers both directions"
    assert second("enemy_left", 0.37, sign=-0.01, enemy=0.4)[0] == "enemy_left"
    assert second("end_left", 0.46, outline=0.9, top=0.5)[0] == "end_left"
    assert second("end_left", 0.44, outline=0.9, top=0.5)[0] == "top"
    assert second("saw", 0.16, sign=-0.01, outline=0.9, top=0.9)[0] == "saw", "it stands on it"
    assert second("agent", 0.34)[0] is None
    assert second("agent", 0.35)[0] == "agent"
    assert second("screen_edge", 0.9, outline=0.9) == (None, 0), "people gave it no label"


def test_what_is_at_the_same_place_is_compared_with_attribution_spread_evenly():
    rng = np.random.default_rng(3)
    maps, y = rng.random((6, 1, 4, 4)), np.zeros((6, 1, 4, 4))
    y[..., 1, 1] = 1
    energies = Energies.from_maps(maps, y, np.arange(6) // 2, np.arange(6) % 2)
    energy = maps[:, 0, 1, 1].sum() / maps.sum()
    np.testing.assert_allclose(energies.kappa_uniform(), [[(energy - 1 / 16) / (15 / 16)]])
    weights = np.array([2.0, 0, 1])
    twice = np.repeat([2, 0, 1], 2)
    energy = (twice * maps[:, 0, 1, 1]).sum() / (twice[:, None, None, None] * maps).sum()
    np.testing.assert_allclose(energies.kappa_uniform(weights), [[(energy - 1 / 16) / (15 / 16)]])


def test_eight_copies_of_a_detector_are_one_class():
    assert distinct_classes(np.full(8, 3)) == 1
    assert distinct_classes(np.full(8, -1)) == 0
    np.testing.assert_array_equal(distinct_classes(np.array([[0, 2, -1], [2, 2, 0], [1, 0, 2]])), [2, 2, 3])


def test_orbay_worked_example():
    """Boxes over 20 pixels, 10 of them on an object: 10 / (10 + 10) = 0.5."""
    boxes, objects = np.zeros((2, 1, 1, 64, 64), bool)
    boxes[0, 0, 30:34, 30:35] = True
    assert orbay2020(boxes, np.ones((1, 64, 64), bool)) == 1
    objects[0, 0, 32:50] = True
    assert orbay2020(boxes, objects[0]) == 0.5
    assert np.isnan(orbay2020(np.zeros_like(boxes), objects[0]))


def test_orbay_is_that_of_the_loop():
    rng = np.random.default_rng(8)
    w = rng.exponential(1, (5, 3, 16, 16)) ** 3
    w[1, 2] = w[3] = 0
    objects = rng.random((5, 64, 64)) < np.linspace(0.1, 0.6, 64)
    shares = []
    for i in range(5):
        for k in range(3):
            covered, hit = 0, 0
            for r in range(64):
                for s in range(64):
                    if w[i, k, r // 4, s // 4] > 0.1 * w[i, k].max():
                        covered += 1
                        hit += objects[i, r, s]
            if covered:
                shares.append(hit / covered)
    assert len(shares) == 11
    per_feature = (np.kron(threshold(w)[:, k], np.ones((4, 4))) > 0 for k in range(3))
    assert orbay2020(per_feature, objects) == pytest.approx(np.mean(shares))


def test_threshold_is_relative_to_each_map():
    w = np.array([[[1.0, 0.11], [0.1, 0]], [[100, 11], [9, 1]], [[0, 0], [0, 0]]])
    assert threshold(w).tolist() == [[[True, True], [False, False]]] * 2 + [[[False, False]] * 2]
    assert threshold(w, 0.05)[1].tolist() == [[True, True], [True, False]]
