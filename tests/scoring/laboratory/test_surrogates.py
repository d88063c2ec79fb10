"""Simple models of the target: a planted linear value, a planted tree, and noise."""

import numpy as np
import pytest

from rollouts.bank import FrameBank
from scoring.explain.scenes import scenes_of
from scoring.laboratory.surrogates import described, determination, held_out, importance


def test_a_planted_linear_value_is_recovered_and_a_step_by_the_tree() -> None:
    generator = np.random.default_rng(0)
    numbers = generator.standard_normal((300, 3, 4))
    environment = np.repeat(np.arange(30), 10)
    flat = numbers.reshape(300, -1)
    linear = 2 * numbers[:, 1, 2] - numbers[:, 0, 0]
    found = determination(linear, held_out("linear", flat, linear, environment), environment, seed=0)
    assert found.value == pytest.approx(1, abs=1e-3)
    step = np.where(numbers[:, 2, 1] > 0, 3.0, -1.0)
    tree = determination(step, held_out("tree", flat, step, environment), environment, seed=0)
    assert tree.value == pytest.approx(1, abs=0.05)
    assert importance(numbers, step, environment, seed=0).argmax() == 2
    noise = generator.standard_normal(300)
    of_noise = determination(noise, held_out("linear", flat, noise, environment), environment, seed=0)
    assert of_noise.value is not None
    assert of_noise.value < 0.1


def test_where_the_nearest_of_a_kind_is(bank: FrameBank) -> None:
    scenes = scenes_of(bank, 32)
    kinds, numbers = described(scenes)
    assert "agent" not in kinds
    assert {"crate"} <= set(kinds)
    k = kinds.index("crate")
    for own, values in zip(scenes.objects, numbers[:, k], strict=True):
        crates = [item for item in own if item.kind == "crate"]
        assert values[0] == bool(crates)
        assert values[1] == len(crates)
        if crates:
            (player,) = [item for item in own if item.kind == "agent"]
            middle = np.array([x.mean() for x in np.nonzero(player.mask)])
            offsets = [np.array([x.mean() for x in np.nonzero(item.mask)]) - middle for item in crates]
            assert np.hypot(*values[2:]) == pytest.approx(min(np.hypot(*offset) for offset in offsets))
        else:
            assert not values.any()
