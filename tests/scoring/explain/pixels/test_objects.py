"""Explanations by objects: against brute force, against Captum, and on values that are known sums."""

from itertools import permutations

import numpy as np
import pytest
import torch
from captum.attr import ShapleyValues
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from scoring.explain.pixels.objects import lime_weights, shapley_values, spread
from scoring.explain.scenes import Scenes, scenes_of

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
WEIGHTS = np.array([3.0, -2.0, 0.5, 0.0])


def linear(present: BoolArray) -> FloatArray:
    return 1.5 + present @ WEIGHTS


def entangled(present: BoolArray) -> FloatArray:
    """The second object counts only with the first, the third only without the fourth."""
    first, second, third, fourth = present.T.astype(float)
    return np.asarray(2 * first + 5 * first * second - 3 * third * (1 - fourth))


def test_a_linear_value_is_found_by_both() -> None:
    np.testing.assert_allclose(shapley_values(linear, 4, seed=0), WEIGHTS, atol=1e-12)
    np.testing.assert_allclose(lime_weights(linear, 4, seed=0), WEIGHTS, atol=1e-4)


def test_shapley_values_are_the_mean_over_all_orders_and_captums() -> None:
    expected = np.zeros(4)
    orders = list(permutations(range(4)))
    for order in orders:
        present = np.zeros((1, 4), dtype=bool)
        for k in order:
            before = entangled(present)[0]
            present[0, k] = True
            expected[k] += (entangled(present)[0] - before) / len(orders)
    found = shapley_values(entangled, 4, seed=0)
    np.testing.assert_allclose(found, expected, atol=1e-12)
    np.testing.assert_allclose(found.sum(), entangled(np.ones((1, 4), bool))[0] - entangled(np.zeros((1, 4), bool))[0])

    def forward(present: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(entangled(present.numpy() > 0.5))

    captum = ShapleyValues(forward).attribute(torch.ones(1, 4, dtype=torch.float64))[0].numpy()
    np.testing.assert_allclose(found, captum, atol=1e-9)


def test_sampled_shapley_values_add_up_and_are_near_the_exact_ones() -> None:
    sampled = shapley_values(entangled, 4, seed=1, exact=3, orders=400)
    np.testing.assert_allclose(sampled.sum(), 2 + 5 - 0, atol=1e-9)
    np.testing.assert_allclose(sampled, shapley_values(entangled, 4, seed=1), atol=0.25)
    repeated = shapley_values(entangled, 4, seed=1, exact=3, orders=400)
    np.testing.assert_array_equal(sampled, repeated)


def test_no_objects_have_no_shares() -> None:
    assert shapley_values(linear, 0, seed=0).size == 0
    assert lime_weights(linear, 0, seed=0).size == 0


@pytest.fixture(scope="module")
def scenes(bank: FrameBank) -> Scenes:
    return scenes_of(bank, 16)


def test_scenes_are_one_frame_of_each_environment_then_a_second(bank: FrameBank, scenes: Scenes) -> None:
    assert scenes.environment.tolist() == list(range(16))
    more = scenes_of(bank, 20)
    assert np.bincount(more.environment).tolist() == [2] * 4 + [1] * 12


def test_taking_out_changes_the_object_and_no_background(scenes: Scenes) -> None:
    index, frames = scenes.without_each()
    assert len(index) == sum(map(len, scenes.objects)) > 20
    flat = [item for own in scenes.objects for item in own]
    shown = scenes.masks.any(axis=1)  # what is in front may be half transparent
    vanished = 0
    for i, frame, item in zip(index, frames, flat, strict=True):
        changed = (frame != scenes.frames[i]).any(axis=-1)
        vanished += bool(changed.any())
        assert not (changed & ~shown[i] & ~item.mask).any()
    assert vanished > 0.9 * len(index)  # the others show a pixel or two, of the colour of what is behind
    for i, own in enumerate(scenes.objects):
        np.testing.assert_array_equal(scenes.draw(i, []), scenes.frames[i])
        assert {"velocity", "wall"}.isdisjoint(item.kind for item in own)


def test_shares_are_spread_over_their_objects(scenes: Scenes) -> None:
    generator = np.random.default_rng(0)
    shares = [generator.standard_normal(len(own)) for own in scenes.objects]
    maps = spread(scenes, shares)
    for drawn, own, values in zip(maps, scenes.objects, shares, strict=True):
        np.testing.assert_allclose([drawn[item.mask].sum() for item in own], values, atol=1e-5)
        covered = np.logical_or.reduce([item.mask for item in own])
        assert not drawn[~covered].any()
