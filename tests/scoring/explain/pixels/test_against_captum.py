"""Maps over pixels against Captum's, in float64: in float32 rounding alone takes some ReLU to its other side."""

import copy

import numpy as np
import pytest
import torch
from captum.attr import (
    Deconvolution,
    GuidedBackprop,
    GuidedGradCam,
    InputXGradient,
    IntegratedGradients,
    LayerAttribution,
    LayerGradCam,
    Occlusion,
    Saliency,
)
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.checkpoint import Agent, untrained_agent
from agents.networks import NETWORKS, ActorCritic
from rollouts.env import EnvOptions
from rollouts.progress import silent
from scoring.explain.base import target_output
from scoring.explain.pixels.integrated import STEPS, blurred
from scoring.explain.pixels.methods import PIXEL_METHODS
from scoring.explain.pixels.occlusion import GREY, PATCH, STRIDE
from scoring.explain.scenes import Scenes

TARGETS = ("value", "logit:4", "logit:7-4")


class Whole(nn.Module):
    """Prepared frames -> the target, as Captum wants it."""

    def __init__(self, network: ActorCritic, target: str) -> None:
        super().__init__()
        self.network, self.output = network, target_output(network, target)

    def forward(self, prepared: Tensor) -> Tensor:
        return self.output(self.network.heads(self.network.trunk(prepared)))


@pytest.fixture(autouse=True)
def double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    prepare = ActorCritic.prepare
    monkeypatch.setattr(ActorCritic, "prepare", staticmethod(lambda frames: prepare(frames).double()))


@pytest.fixture(scope="module", params=sorted(NETWORKS))
def agent(request: pytest.FixtureRequest) -> Agent:
    """Far from linear, and in float64."""
    agent = untrained_agent(request.param, EnvOptions(), seed=3)
    torch.manual_seed(0)
    for parameter in agent.network.parameters():
        if parameter.ndim == 1:
            nn.init.normal_(parameter, std=0.1)
    nn.init.normal_(agent.network.policy.weight)
    agent.network.double()
    return agent


def frames() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


def scenes() -> Scenes:
    """Frames without any objects."""
    game = EnvOptions().rules
    masks = np.zeros((2, len(game.kinds), 64, 64), dtype=bool)
    return Scenes(game, frames(), np.arange(2), masks, ((), ()), lambda i, absent: frames()[i])


def ours(method: str, agent: Agent, target: str) -> NDArray[np.float32]:
    return PIXEL_METHODS[method].draw(agent, scenes(), target, 0, silent)


def prepared() -> Tensor:
    return ActorCritic.prepare(torch.from_numpy(frames()))


def assert_close(found: NDArray[np.float32], oracle: Tensor) -> None:
    expected = oracle.detach().sum(dim=1).numpy()
    assert np.abs(expected).max() > 0
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("target", TARGETS)
def test_gradients(agent: Agent, target: str) -> None:
    whole = Whole(agent.network, target)
    assert_close(ours("gradient", agent, target), Saliency(whole).attribute(prepared(), abs=False))
    assert_close(ours("gradient_x_input", agent, target), InputXGradient(whole).attribute(prepared()))


def test_integrated_gradients(agent: Agent) -> None:
    oracle = IntegratedGradients(Whole(agent.network, "value"))
    x = prepared()
    for method, baseline in (
        ("ig_black", torch.zeros_like(x[:1])),
        ("ig_mean", x.mean(dim=0, keepdim=True).float().double()),
        ("ig_blurred", blurred(x)),
    ):
        expected = oracle.attribute(x, baseline, method="riemann_middle", n_steps=STEPS)
        assert_close(ours(method, agent, "value"), expected)


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize("target", TARGETS)
def test_other_rules_at_the_relus(agent: Agent, target: str) -> None:
    for method, oracle in (("guided_backprop", GuidedBackprop), ("deconvnet", Deconvolution)):
        whole = Whole(copy.deepcopy(agent.network), target)
        if agent.network.kind == "impala":
            assert_close(ours(method, agent, target), by_hooks(whole, guided=method == "guided_backprop"))
        else:
            assert_close(ours(method, agent, target), oracle(whole).attribute(prepared()))


def by_hooks(whole: Whole, guided: bool) -> Tensor:
    """The same through PyTorch's hooks: Captum's rule also acts on what a residual link takes past its first ReLU."""

    def rule(module: nn.Module, entering: tuple[Tensor, ...], leaving: tuple[Tensor, ...]) -> tuple[Tensor]:
        return ((entering if guided else leaving)[0].clamp(min=0),)

    for module in whole.modules():
        if isinstance(module, nn.ReLU):
            module.register_full_backward_hook(rule)
    x = prepared().requires_grad_()
    (gradient,) = torch.autograd.grad(whole(x).sum(), x)
    return gradient


@pytest.mark.filterwarnings("ignore:Setting backward hooks")
@pytest.mark.parametrize("target", TARGETS[:2])
def test_grad_cam(agent: Agent, target: str) -> None:
    whole = Whole(copy.deepcopy(agent.network), target)
    layer = whole.network.trunk.get_submodule(whole.network.layers[-1])
    cam = LayerGradCam(whole, layer).attribute(prepared(), relu_attributions=True)
    assert_close(ours("grad_cam", agent, target), LayerAttribution.interpolate(cam, (64, 64), "bilinear"))
    if agent.network.kind == "impala":
        guided = by_hooks(whole, guided=True) * LayerAttribution.interpolate(cam, (64, 64), "bilinear")
    else:
        guided = GuidedGradCam(whole, layer).attribute(prepared(), interpolate_mode="bilinear")
    assert_close(ours("guided_grad_cam", agent, target), guided)


def test_occlusion(agent: Agent) -> None:
    oracle = Occlusion(Whole(agent.network, "value"))
    whole = oracle.attribute(prepared(), (3, PATCH, PATCH), strides=(3, STRIDE, STRIDE), baselines=GREY)
    assert_close(ours("occlusion", agent, "value"), whole[:, :1])
