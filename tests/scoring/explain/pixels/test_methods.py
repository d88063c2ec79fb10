"""What is known of maps over pixels without an oracle, and what methods refuse."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from agents.checkpoint import Agent, untrained_agent
from agents.networks import NETWORKS, ActorCritic, Blueprint
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.progress import silent
from scoring.explain.pixels.competitive import kept, moves_of
from scoring.explain.pixels.gradients import noisy
from scoring.explain.pixels.integrated import along, blurred
from scoring.explain.pixels.methods import PIXEL_METHODS, methods_named
from scoring.explain.pixels.region import preserved
from scoring.explain.scenes import Scenes, scenes_of


@pytest.fixture(scope="module")
def scenes(bank: FrameBank) -> Scenes:
    return scenes_of(bank, 2)


def linear(weights: Tensor) -> nn.Module:
    class Linear(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return (x * weights).sum(dim=(1, 2, 3))

    return Linear()


def test_noise_changes_nothing_about_a_linear_function() -> None:
    weights = torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(0))
    mean, variance = noisy(linear(weights), torch.rand(2, 3, 64, 64), seed=0, samples=7)
    torch.testing.assert_close(mean, weights.expand_as(mean))
    assert float(variance.abs().max()) < 1e-5


def test_the_gradient_of_squares_varies_with_the_noise() -> None:
    """d/dx sum(x^2) = 2 x, so noise of 0.15 gives gradients of variance 0.09."""

    def squares(x: Tensor) -> Tensor:
        return x.square().sum(dim=(1, 2, 3))

    x = torch.rand(1, 3, 64, 64)
    mean, variance = noisy(squares, x, seed=0, samples=50)
    assert float((mean - 2 * x).abs().mean()) < 0.06
    assert float(variance.mean()) == pytest.approx(0.09 * 49 / 50, rel=0.02)


def test_integrated_gradients_of_squares_in_closed_form() -> None:
    """From b to x: x^2 - b^2, pixel by pixel, exactly by midpoints."""
    x, b = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    found = along(lambda at: at.square().sum(dim=(1, 2, 3)), x, b, steps=3)
    torch.testing.assert_close(found, (x**2 - b**2).sum(dim=1), atol=1e-5, rtol=0)


def test_blurring_keeps_an_even_frame_and_spreads_a_point() -> None:
    point = torch.zeros(1, 3, 64, 64)
    point[0, :, 32, 32] = 1
    torch.testing.assert_close(blurred(torch.full((1, 3, 64, 64), 0.25)), torch.full((1, 3, 64, 64), 0.25))
    assert float(blurred(point)[0, 0].sum()) == pytest.approx(1, abs=1e-4)
    assert float(blurred(point)[0, 0].max()) == pytest.approx(1 / (2 * np.pi * 25), rel=0.02)


def test_a_pixel_is_kept_for_one_move_of_each_sign() -> None:
    products = torch.from_numpy(np.random.default_rng(0).standard_normal((5, 2, 3, 8, 8)))
    maps = torch.stack([kept(products, own) for own in range(5)])
    assert int((maps > 0).sum(dim=0).max()) <= 1
    assert int((maps < 0).sum(dim=0).max()) <= 1
    highest = products.argmax(dim=0)
    np.testing.assert_array_equal(
        (maps > 0).numpy().argmax(axis=0)[(maps > 0).any(dim=0).numpy()], highest.numpy()[(maps > 0).any(dim=0).numpy()]
    )


def test_actions_that_are_the_same_move_compete_together() -> None:
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    assert sorted(map(len, moves_of(agent))) == [1] * 8 + [7]
    distinct = untrained_agent("compact", EnvOptions(), seed=0, actions=tuple(range(9)))
    assert sorted(map(len, moves_of(distinct))) == [1] * 9


def test_the_smallest_region_covers_what_the_target_depends_on() -> None:
    weights = torch.zeros(3, 64, 64)
    weights[:, 20:32, 36:48] = 1
    frames = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.2
    frames[:, :, 20:32, 36:48] += 0.8
    masks = preserved(linear(weights), frames).numpy()
    inside = weights[0].numpy() > 0
    assert masks[:, inside].mean() > 0.7
    far = np.ones((64, 64), dtype=bool)
    far[12:40, 28:56] = False
    assert masks[:, far].mean() < 0.1


@pytest.mark.parametrize("kind", sorted(NETWORKS))
@pytest.mark.parametrize("target", ["value", "logit:3", "logit:7-3"])
def test_every_method_explains_every_network(kind: str, target: str, scenes: Scenes) -> None:
    agent = untrained_agent(kind, EnvOptions(), seed=0)
    for name, method in PIXEL_METHODS.items():
        if name == "competitive" and target != "logit:3":
            with pytest.raises(InputError, match="one logit against the others"):
                method.draw(agent, scenes, target, 0, silent)
            continue
        if name in ("smoothgrad", "vargrad", "occlusion", "minimal_region", "mean_map") and target != "value":
            continue  # the target is the same function in all of them
        maps = method.draw(agent, scenes, target, 0, silent)
        assert maps.shape == (2, 64, 64)
        assert maps.dtype == np.float32
        assert np.isfinite(maps).all()
        assert method.signed or (maps >= 0).all()


def test_a_network_without_relus_has_no_other_rules() -> None:
    modules = {"1a_conv": nn.Conv2d(3, 4, 5, 4, padding=2), "1a": nn.Tanh(), "flatten": nn.Flatten()}
    network = ActorCritic("smooth", 15, Blueprint(modules, 4 * 16 * 16, ("1a",), "1a"))
    agent = Agent(network, EnvOptions())
    game = EnvOptions().rules
    empty = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    one = Scenes(game, empty, np.zeros(1, int), np.zeros((1, 1, 64, 64), bool), ((),), lambda i, absent: empty[0])
    for name in ("guided_backprop", "deconvnet", "guided_grad_cam"):
        with pytest.raises(InputError, match="smooth has no ReLUs"):
            PIXEL_METHODS[name].draw(agent, one, "value", 0, silent)


def test_an_unknown_method_is_answered_with_the_list() -> None:
    with pytest.raises(InputError, match=r"methods has 'lrp'; it can have removal, shapley, .*, or be all"):
        methods_named(["gradient", "lrp"])
    assert list(methods_named(["noise", "removal"])) == ["removal", "noise"]
    assert methods_named(["all"]) == dict(PIXEL_METHODS)


def test_scenes_need_two_environments_and_frames(bank: FrameBank, consecutive: FrameBank) -> None:
    with pytest.raises(InputError, match="of one environment"):
        scenes_of(consecutive, 8)
    with pytest.raises(InputError, match="frames is 65; the bank has 1 to 64"):
        scenes_of(bank, 65)
