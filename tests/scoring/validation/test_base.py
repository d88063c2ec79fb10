"""Bounds can be missed, and features are judged by the rule of their kind."""

import numpy as np
import pytest

from scoring.rules import Cutoffs
from scoring.subject import Subject
from scoring.validation.base import at_least, at_most, fraction, grade, judged, reported


def test_bounds_can_be_missed() -> None:
    assert at_least("a", 0.5, 0.5).passed
    assert not at_least("a", 0.49, 0.5).passed
    assert at_most("a", 0.5, 0.5).passed
    assert not at_most("a", 0.51, 0.5).passed
    assert not at_most("a", float("nan"), 0.5).passed
    assert not at_least("a", float("nan"), 0.5).passed


def test_bounds_are_told() -> None:
    assert at_least("a", 1, 0.95).bound == ">= 0.95"
    assert at_most("a", 1, 1e-9).bound == "<= 1e-09"
    check = reported("a", 0.2, "as it falls")
    assert (check.bound, check.passed, check.note) == ("none", True, "as it falls")


@pytest.mark.parametrize(("features", "count", "sets"), [("channels", 32, 1), ("nmf", 8, 1), ("rotated", 160, 5)])
def test_features_are_dead_below_their_share_of_a_set(subject: Subject, features: str, count: int, sets: int) -> None:
    scored = judged(subject, features)
    mass = np.abs(scored.measured.maps).sum(axis=(0, 2, 3), dtype=np.float64)
    np.testing.assert_array_equal(scored.verdict.alive, mass / mass.sum() >= Cutoffs.dead / sets)
    assert len(scored.verdict.alive) == count
    assert fraction(scored) == scored.verdict.interpretable.sum() / count
    assert grade(scored) == pytest.approx(scored.verdict.grades.sum() / count)
