"""Attribution against Captum, and against what can be worked out by hand."""

import numpy as np
import pytest
import torch
from captum.attr import InputXGradient, IntegratedGradients, Saliency
from numpy.typing import NDArray

from agents.networks import NETWORKS, ActorCritic
from rollouts.errors import InputError
from scoring.explain.base import Attribution, normalise
from scoring.explain.methods import attribute
from scoring.explain.path import mean_gradient


def frames(count: int = 3) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks compute in float64: in float32 rounding alone takes some ReLU or maximum to its other side."""
    prepare = ActorCritic.prepare
    monkeypatch.setattr(ActorCritic, "prepare", staticmethod(lambda frames: prepare(frames).double()))


def network(kind: str) -> ActorCritic:
    """A random network whose outputs are far from linear in its activations."""
    torch.manual_seed(0)
    agent = ActorCritic(kind, 9)
    for parameter in agent.parameters():
        if parameter.ndim == 1:
            torch.nn.init.normal_(parameter, std=0.1)
    torch.nn.init.normal_(agent.policy.weight)
    return agent.eval()


def hidden(agent: ActorCritic, layer: str) -> torch.Tensor:
    return agent.until(layer)(agent.prepare(torch.from_numpy(frames()))).detach()


def assert_close(ours: NDArray[np.floating], theirs: torch.Tensor, tolerance: float = 1e-5) -> None:
    """Equal to `tolerance` times the largest attribution."""
    theirs = theirs.detach()
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=tolerance * float(theirs.abs().max()))


@pytest.mark.parametrize(("kind", "layer"), [(kind, layer) for kind in NETWORKS for layer in NETWORKS[kind]().layers])
@pytest.mark.parametrize("target", ["value", "logit:4", "logits:1,5,8"])
def test_integrated_gradients_equal_captums(kind: str, layer: str, target: str, double_precision: None) -> None:
    agent = network(kind).double()
    after = agent.after(layer)
    logits = [int(n) for n in target.partition(":")[2].split(",") if n]

    def forward(h: torch.Tensor) -> torch.Tensor:
        return after(h)[0][:, logits].sum(dim=1) if logits else after(h)[1]

    found = attribute(agent, layer, frames(), target, steps=10)
    oracle = IntegratedGradients(forward).attribute(
        hidden(agent, layer), baselines=0.0, method="riemann_right", n_steps=10
    )
    assert_close(found.maps, oracle, 1e-6)  # Captum rounds alpha to float32
    np.testing.assert_allclose(found.outputs, forward(hidden(agent, layer)).detach(), rtol=1e-10)


@pytest.mark.parametrize("kind", NETWORKS)
def test_in_single_precision_integrated_gradients_are_captums_nearly(kind: str) -> None:
    agent = network(kind)
    found = attribute(agent, agent.default_layer, frames(), steps=10).maps
    theirs = (
        IntegratedGradients(lambda h: agent.after(agent.default_layer)(h)[1])
        .attribute(hidden(agent, agent.default_layer), baselines=0.0, method="riemann_right", n_steps=10)
        .detach()
        .numpy()
    )
    assert np.corrcoef(found.ravel(), theirs.ravel())[0, 1] > 0.999999
    assert np.quantile(np.abs(found - theirs), 0.9) < 1e-5 * np.abs(theirs).max()


@pytest.mark.parametrize("kind", NETWORKS)
def test_gradients_equal_captums(kind: str) -> None:
    agent = network(kind)
    layer = agent.layers[0]
    after = agent.after(layer)

    def forward(h: torch.Tensor) -> torch.Tensor:
        return after(h)[1]

    plain = attribute(agent, layer, frames(), method="gradient")
    assert_close(plain.maps, Saliency(forward).attribute(hidden(agent, layer).requires_grad_(), abs=False))
    product = attribute(agent, layer, frames(), method="gradient_x_activation")
    assert_close(product.maps, InputXGradient(forward).attribute(hidden(agent, layer).requires_grad_()))
    assert np.isnan(plain.completeness_error).all()


@pytest.mark.parametrize("kind", NETWORKS)
def test_completeness_error_shrinks_with_steps(kind: str) -> None:
    agent = network(kind)
    errors = [attribute(agent, agent.default_layer, frames(), steps=n).completeness_error.max() for n in (4, 64, 512)]
    spread = np.ptp(attribute(agent, agent.default_layer, frames(), steps=1).outputs)
    assert errors[2] < errors[0]
    assert errors[2] < 0.02 * max(spread, 0.1)


def test_right_riemann_sum_of_a_quadratic() -> None:
    """F = sum h^2 has the gradient 2 alpha h; its right Riemann sum over n steps is (n + 1)/n h^2, not h^2."""
    h, alphas = torch.tensor([[[[1.0, 2.0]]]]), [step / 10 for step in range(1, 11)]
    mean, value = mean_gradient(lambda x: x, 1, lambda x: x.square().sum(dim=(1, 2, 3)), h, alphas)
    assert float(value) == 5
    same, _ = mean_gradient(torch.square, 2, lambda squares: squares.sum(dim=(1, 2, 3)), h, alphas)
    torch.testing.assert_close(same, mean)
    torch.testing.assert_close(h * mean, 1.1 * h.square())
    found = Attribution("integrated_gradients", np.array([5.0], dtype=np.float32), 0.0, h.numpy(), mean.numpy())
    assert found.completeness_error[0] == pytest.approx(0.5)


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = network("compact")
    whole = attribute(agent, "2b", frames(5), steps=7)
    monkeypatch.setattr("scoring.explain.path.BATCH", 2)
    increments: list[int] = []
    parts = attribute(agent, "2b", frames(5), steps=7, progress=lambda more, note="": increments.append(more))
    np.testing.assert_allclose(whole.maps, parts.maps, atol=1e-6)
    assert sorted(increments) == [1, 2, 2]


def test_normalise() -> None:
    maps = np.array([[[[3.0, -1.0]], [[0.0, 4.0]]], [[[0.0, 0.0]], [[0.0, 0.0]]]], dtype=np.float32)
    normalised, kept = normalise(maps)
    np.testing.assert_allclose(normalised[0], [[[0.375, -0.125]], [[0.0, 0.5]]])
    assert not normalised[1].any()
    assert kept.tolist() == [True, False]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": "q"}, "target is 'q'"),
        ({"target": "logit:1,2"}, "target is"),
        ({"target": "logits:"}, "target is"),
        ({"target": "logit:9"}, "logits 0 to 8"),
        ({"method": "lime"}, "integrated_gradients, gradient_x_activation, gradient"),
        ({"steps": 0}, "at least 1"),
        ({"layer": "9z"}, "its layers are 1a, 2a, 2b, 3a"),
    ],
)
def test_what_cannot_be_attributed_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        attribute(**({"network": network("compact"), "layer": "2b", "frames": frames(1)} | arguments))  # type: ignore[arg-type]
