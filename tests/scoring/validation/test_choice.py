"""The choice of the cut-offs, and what is looked at on a half of the environments."""

from dataclasses import replace
from itertools import product

import numpy as np

from scoring.subject import Subject
from scoring.validation.base import SETTINGS, judged
from scoring.validation.choice import (
    FEATURES,
    FIXED,
    HALVES,
    OBJECTS,
    WIDTHS,
    CurveRow,
    Curves,
    choose,
    halves_of,
    looked,
)


def curves(of: dict[str, dict[tuple[int, float, float], float]]) -> Curves:
    rows = [
        CurveRow(half, features, *candidate, of[features].get(candidate, 0.0))
        for half in HALVES
        for features in FEATURES
        for candidate in product(WIDTHS, OBJECTS, FIXED)
    ]
    return Curves(rows, (2, 0.125, 0.35))


def test_the_best_that_keeps_rotated_channels_low_is_chosen_and_of_those_near_it_the_strictest() -> None:
    best, near, far, leaking = (4, 0.15, 0.35), (2, 0.2, 0.35), (4, 0.15, 0.5), (4, 0.1, 0.15)
    own = {best: 0.7, near: 0.69, far: 0.6, leaking: 0.95}
    assert choose(curves({"nmf": own, "channels": own, "rotated": {leaking: 0.3}})) == near
    assert choose(curves({"nmf": own, "channels": own, "rotated": {leaking: 0.3, near: 0.11}})) == best
    assert choose(curves({"nmf": own | {far: 0.69}, "channels": own | {far: 0.69}, "rotated": {leaking: 0.3}})) == far
    assert choose(curves({"nmf": own, "channels": own, "rotated": {}})) == leaking


def test_what_is_looked_at_on_all_environments_is_the_verdict(subject: Subject) -> None:
    """But for the draws of its lower limit."""
    (one,) = looked(subject, "channels", SETTINGS.dilation, np.ones(subject.environments))
    verdict = judged(subject, "channels", replace(SETTINGS, bootstrap=200)).verdict
    np.testing.assert_allclose(one.values.kappa, verdict.kappa)
    np.testing.assert_allclose(one.values.causal, verdict.causal)
    np.testing.assert_allclose(one.lower, verdict.kappa_interval[0], equal_nan=True)
    own = SETTINGS.definition.rule.cutoffs
    np.testing.assert_array_equal(one.named(own.kappa, own.fixed), verdict.kind)


def test_halves_are_every_other_environment() -> None:
    even, odd = halves_of(5)
    assert even.tolist() == [1, 0, 1, 0, 1]
    assert odd.tolist() == [0, 1, 0, 1, 0]


def test_a_half_sees_its_own_environments_alone(subject: Subject) -> None:
    even = halves_of(subject.environments)[0]
    (one,) = looked(subject, "channels", 4, even)
    (all_of_them,) = looked(subject, "channels", 4, np.ones(subject.environments))
    assert not np.allclose(one.values.kappa, all_of_them.values.kappa, equal_nan=True)
    kept = subject.environment % 2 == 0
    bank = subject.bank
    energies = judged(subject, "channels", replace(SETTINGS, dilation=4)).measured.energies
    np.testing.assert_allclose(one.values.sign, energies.sign(even), equal_nan=True)
    assert 0 < np.count_nonzero(kept) < len(bank)
