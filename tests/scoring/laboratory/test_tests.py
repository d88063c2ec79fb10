"""The laboratory's tests on maps whose outcome is known."""

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor

from agents.checkpoint import Agent, untrained_agent
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.progress import silent
from scoring.explain.pixels.base import function_of
from scoring.explain.pixels.controls import edges
from scoring.explain.pixels.methods import PIXEL_METHODS, Listed
from scoring.explain.pixels.objects import removals, spread
from scoring.explain.scenes import scenes_of
from scoring.laboratory.base import Bench, Row, mean_over_frames
from scoring.laboratory.claims import claims
from scoring.laboratory.deletion import OVER_NOISE, deletion, pixels
from scoring.laboratory.localisation import localisation, over_chance
from scoring.laboratory.objects import CORRELATION, OVER_CONTROLS, SIGN, STRONGEST, objects, own_ground
from scoring.laboratory.randomisation import alike, first_of_each, randomisation
from scoring.laboratory.recovery import recovery
from scoring.laboratory.registry import named_tests
from scoring.metrics.statistics import NO_NUMBER


@pytest.fixture(scope="module")
def agent() -> Agent:
    return untrained_agent("compact", EnvOptions(), seed=0)


@pytest.fixture(scope="module")
def bench(agent: Agent, bank: FrameBank) -> Bench:
    """Maps of removal, the same with the wrong sign, gradients, edges, and noise."""
    scenes = scenes_of(bank, 24)
    methods = {name: PIXEL_METHODS[name] for name in ("removal", "gradient", "edges", "noise")}
    maps = {name: method.draw(agent, scenes, "value", 0, silent) for name, method in methods.items()}
    methods["wrong"], maps["wrong"] = PIXEL_METHODS["removal"], -maps["removal"]
    effects = removals(function_of(agent, "value"), scenes, silent)
    return Bench(agent, scenes, "value", 0, methods, maps, tuple(effects))


def numbers(rows: list[Row], statistic: str) -> dict[str, float]:
    return {row.method: row.number.value for row in rows if row.statistic == statistic and row.number.value is not None}


def test_removal_finds_every_object_and_its_sign(bench: Bench) -> None:
    rows = objects(bench, silent)
    for statistic in (CORRELATION, STRONGEST, SIGN):
        assert numbers(rows, statistic)["removal"] == pytest.approx(1)
    assert numbers(rows, CORRELATION)["wrong"] == pytest.approx(1)
    assert numbers(rows, SIGN)["wrong"] == 0
    assert abs(numbers(rows, CORRELATION)["noise"]) < 0.45
    passed = {row.method: row.passes for row in rows if row.statistic == OVER_CONTROLS}
    assert passed["removal"]
    assert set(passed) == {"removal", "gradient", "wrong"}


def test_a_pixel_of_one_object_is_no_other_objects_ground() -> None:
    masks = np.zeros((2, 64, 64), dtype=bool)
    masks[0, 10, 10] = masks[1, 10, 12] = True
    ground = own_ground(masks)
    assert ground[0, 10, 10]
    assert not ground[0, 10, 12]
    assert ground[0, 10, 11]
    assert ground[1, 10, 11]
    assert ground[0].sum() == 24


def test_a_map_on_the_kind_is_at_one_and_an_even_one_at_chance() -> None:
    generator = np.random.default_rng(0)
    masks = np.zeros((30, 64, 64), dtype=bool)
    for mask in masks:
        top, left = generator.integers(0, 58, 2)
        mask[top : top + 6, left : left + 6] = True
    others = np.stack([np.delete(np.arange(30), i)[:16] for i in range(30)])
    exact = over_chance(masks.astype(np.float32), masks, others)
    assert exact["mass"].mean() == pytest.approx(1)
    assert exact["rank"].mean() == pytest.approx(1)
    assert exact["pointing"].mean() == pytest.approx(1)
    even = over_chance(np.ones((30, 64, 64), dtype=np.float32), masks, others)
    assert abs(even["mass"]).max() < 1e-9
    nowhere = over_chance(np.zeros((30, 64, 64), dtype=np.float32), masks, others)
    assert nowhere["pointing"].max() <= 0


def test_localisation_tells_kinds_that_show(bench: Bench) -> None:
    rows = localisation(bench, silent)
    told = {row.statistic.partition(", ")[2] for row in rows}
    assert {"top", "agent"} <= told
    assert "wall" not in told
    assert numbers(rows, "mass, agent")["noise"] == pytest.approx(0, abs=0.02)


def test_deletion_of_an_additive_value_is_what_can_be_worked_out() -> None:
    """One frame of 0.9 in one pixel and 0.5, the grey, elsewhere: the first share deletes all there is to delete."""
    frames = np.full((1, 64, 64, 3), 128, dtype=np.uint8)
    frames[0, 5, 5] = 230

    def total(x: Tensor) -> Tensor:
        return x.sum(dim=(1, 2, 3))

    whole = np.array([(64 * 64 - 1) * 3 * 128 / 255 + 3 * 230 / 255])
    at = np.zeros((1, 64, 64), dtype=np.float32)
    at[0, 5, 5] = 1
    found = pixels(total, frames, at, whole)["deletion by grey"][0]
    shares = [int(np.ceil(share * 4096)) for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)]
    grey = 128 / 255 - 0.5
    expected = np.mean([3 * (230 / 255 - 0.5) + (count - 1) * 3 * grey for count in shares])
    assert found == pytest.approx(expected, rel=1e-3)


def test_objects_in_their_order_move_the_value_more_than_in_any(bench: Bench) -> None:
    rows = deletion(bench, silent)
    assert numbers(rows, OVER_NOISE)["removal"] > 0
    assert numbers(rows, "objects, kl of the policy")["removal"] >= 0


def test_maps_are_like_themselves_and_unlike_noise() -> None:
    generator = np.random.default_rng(0)
    one, other = generator.standard_normal((2, 3, 64, 64)).astype(np.float32)
    for value in alike(one, one).values():
        np.testing.assert_allclose(value, 1, atol=1e-6)
    for name, value in alike(one, other).items():
        assert abs(value.mean()) < (0.05 if name.startswith("spearman") else 0.25)
    assert np.isnan(alike(np.zeros_like(one), one)["ssim"]).all()


def test_what_does_not_look_at_the_network_fails_and_its_gradient_passes(bench: Bench) -> None:
    pretending = Listed(edges, signed=False)
    few = replace(
        bench,
        methods={"gradient": bench.methods["gradient"], "pretending": pretending},
        maps={"gradient": bench.maps["gradient"], "pretending": bench.maps["edges"]},
    )
    rows = randomisation(few, silent)
    passed = {row.method: row.passes for row in rows if row.passes is not None}
    assert passed == {"gradient": True, "pretending": False}
    assert numbers(rows, "ssim, cascading to value")["pretending"] == pytest.approx(1)
    told = {row.statistic for row in rows}
    assert {"hog, cascading to 1a_conv", "spearman, fc1_linear alone"} <= told
    found = {(row.method, row.statistic): row.passes for row in recovery(few, silent)}
    assert not found["pretending", "edges of the frame, untrained networks"]
    assert not found["pretending", "two logits, spearman of |map| over chance"]


def test_completeness_is_told_of_those_that_claim_it(agent: Agent, bank: FrameBank) -> None:
    scenes = scenes_of(bank, 8)
    methods = {name: PIXEL_METHODS[name] for name in ("ig_black", "ig_blurred", "shapley", "gradient")}
    maps = {name: method.draw(agent, scenes, "value", 0, silent) for name, method in methods.items()}
    maps["ig_blurred"] = 2 * maps["ig_blurred"]
    rows = claims(Bench(agent, scenes, "value", 0, methods, maps, ()), silent)
    passed = {row.method: row.passes for row in rows if row.statistic == "completeness error, median"}
    assert passed == {"ig_black": True, "ig_blurred": False, "shapley": True}
    errors = numbers(rows, "completeness error, median")
    assert errors["shapley"] < 1e-3
    assert numbers(rows, "max-sensitivity at 1/255")["gradient"] > 0


def test_the_first_frame_of_each_environment_draws_what_it_did(bank: FrameBank) -> None:
    scenes = scenes_of(bank, 40)
    part, chosen = first_of_each(scenes, 5)
    assert len(part) == 5
    assert len(set(part.environment)) == 5
    last = part.objects[4][0]
    np.testing.assert_array_equal(part.draw(4, [last]), scenes.draw(chosen[4], [last]))


def test_means_over_frames_leave_out_what_is_not_there() -> None:
    values = np.array([1.0, 3.0, np.nan, 5.0])
    number, frames = mean_over_frames(values, np.array([0, 0, 1, 2]), seed=0)
    assert (number.value, frames) == (3.0, 3)
    assert number.low is not None
    assert number.low >= 2
    assert mean_over_frames(np.full(3, np.nan), np.arange(3), seed=0) == (NO_NUMBER, 0)


def test_an_unknown_test_is_answered_with_the_list() -> None:
    with pytest.raises(InputError, match=r"tests has 'roar'; it can have objects, .*, or be all"):
        named_tests(["roar"])


def test_spreading_effects_is_removals_map(bench: Bench) -> None:
    np.testing.assert_array_equal(spread(bench.scenes, bench.removals), bench.maps["removal"])
