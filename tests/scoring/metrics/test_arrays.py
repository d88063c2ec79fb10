"""What is refused at the door of the metrics, and in which words."""

from collections.abc import Callable

import numpy as np
import pytest

from rollouts.errors import InputError
from scoring.metrics.arrays import check_axes, ratio
from scoring.metrics.dissection import detection, stability
from scoring.metrics.energies import Energies, Ratio, eligible
from scoring.metrics.orbay import orbay2020, orbay_chance
from scoring.metrics.statistics import best_class_lift

MAPS, MASKS, SUMS = np.ones((6, 2, 4, 4)), np.ones((6, 3, 4, 4)), np.ones((2, 3, 4))
BOXES, OBJECTS, FRAMES = np.ones((2, 6, 8, 8), bool), np.ones((6, 8, 8), bool), np.arange(6)
KINDS, ALIVE = np.ones(3, bool), np.ones(2, bool)


def test_axes_have_the_lengths_that_arrays_share() -> None:
    assert check_axes(maps=(MAPS, "N K H W"), masks=(MASKS, "N C H W")) == {"N": 6, "K": 2, "H": 4, "W": 4, "C": 3}
    assert check_axes(sums=(SUMS, "K C E"), weights=(np.ones((9, 5, 4)), "... E")) == {"K": 2, "C": 3, "E": 4}
    assert check_axes(weights=(np.ones(4), "... E")) == {"E": 4}, "no other axes are axes enough"


@pytest.mark.parametrize(
    ("array", "axes", "sentence"),
    [
        (MASKS[0], "N C H W", "masks has the shape (3, 4, 4); it must be (N C H W) with N = 6, H = 4, W = 4."),
        (MASKS[:5], "N C H W", "masks has the shape (5, 3, 4, 4); it must be (N C H W) with N = 6, H = 4, W = 4."),
        (MASKS[:, :, :, :3], "... H W", "masks has the shape (6, 3, 4, 3); it must be (... H W) with H = 4, W = 4."),
        (np.ones(4), "... H W", "masks has the shape (4,); it must be (... H W) with H = 4, W = 4."),
        (np.ones((2, 2)), "C", "masks has the shape (2, 2); it must be (C)."),
    ],
)
def test_the_sentence_says_what_is_and_what_must_be(array: np.ndarray, axes: str, sentence: str) -> None:
    with pytest.raises(InputError) as error:
        check_axes(maps=(MAPS, "N K H W"), masks=(array, axes))
    assert str(error.value) == sentence


ENERGIES = Energies.from_maps(MAPS[:4], MASKS[:4], np.arange(4), np.zeros(4, int))
DOORS: dict[str, tuple[Callable[[], object], str]] = {
    "energies: a mask too few": (lambda: Energies.from_maps(MAPS, MASKS[:5], FRAMES, FRAMES), "masks"),
    "energies: masks in pixels": (lambda: Energies.from_maps(MAPS, np.ones((6, 3, 64, 64)), FRAMES, FRAMES), "masks"),
    "energies: a map alone": (lambda: Energies.from_maps(MAPS[:, 0], MASKS, FRAMES, FRAMES), "alpha"),
    "energies: environments": (lambda: Energies.from_maps(MAPS, MASKS, FRAMES[:1], FRAMES), "environment"),
    "energies: times": (lambda: Energies.from_maps(MAPS, MASKS, FRAMES, FRAMES[:, None]), "time"),
    "weights of energies": (lambda: ENERGIES.kappa(np.ones((7, 5))), "weights"),
    "ratio of sums": (lambda: Ratio(SUMS, SUMS[:, :1]).of(), "below"),
    "weights of a ratio": (lambda: Ratio(SUMS, SUMS).of(np.ones(3)), "weights"),
    "eligible": (lambda: eligible(np.ones((6, 3), int), FRAMES[:5]), "episode"),
    "orbay2020: objects of one frame": (lambda: orbay2020(BOXES, OBJECTS[:1]), "covered"),
    "orbay2020: boxes of cells": (lambda: orbay2020(BOXES[:, :, :4, :4], OBJECTS), "covered"),
    "orbay's chance: environments": (lambda: orbay_chance(BOXES, OBJECTS, FRAMES[:5]), "environment"),
    "orbay's chance: boxes of one frame": (lambda: orbay_chance(BOXES[:, :1], OBJECTS, FRAMES), "covered"),
    "detection": (lambda: detection(MAPS, MASKS[:, :, :2]), "y"),
    "stability: an object too few": (lambda: stability(SUMS[0], SUMS[0][:, :3], FRAMES[:4], 3), "after"),
    "stability: kinds": (lambda: stability(SUMS[0], SUMS[0], FRAMES, 3), "kind"),
    "held-out lift: kinds": (lambda: best_class_lift(ENERGIES, KINDS[:2], ALIVE, seed=0), "eligible"),
    "held-out lift: features": (lambda: best_class_lift(ENERGIES, KINDS, KINDS, seed=0), "alive"),
}


@pytest.mark.parametrize("door", DOORS)
def test_arrays_that_do_not_match_are_refused_by_name(door: str) -> None:
    call, name = DOORS[door]
    with pytest.raises(InputError, match=rf"^{name} has the shape \("):
        call()


def test_a_ratio_over_zero_is_no_number() -> None:
    np.testing.assert_array_equal(ratio(np.array([[1.0], [0]]), np.array([2.0, 0])), [[0.5, np.nan], [0, np.nan]])
