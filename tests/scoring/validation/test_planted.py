"""Planted networks are what they say: their value, and their parts side by side."""

import numpy as np
import pytest
import torch

from agents.networks import ActorCritic
from rollouts.coinrun.table import COINRUN
from scoring.explain.geometry import layer_geometry
from scoring.validation.controls import handmade
from scoring.validation.detectors import run, stack
from scoring.validation.planted import CHANNELS, DIRECTIONS, Lesson, plant, told_apart

KINDS = [kind for kind in COINRUN.kinds if kind.headline]
FRAMES = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def detectors() -> list[torch.nn.Conv2d]:
    torch.manual_seed(3)
    return stack(len(KINDS))


@pytest.mark.parametrize("features", [CHANNELS, DIRECTIONS])
def test_features_are_the_detectors_and_the_value_is_their_sum(detectors: list[torch.nn.Conv2d], features: int) -> None:
    wanted = ["coin", "saw"]
    planted = plant(detectors, KINDS, wanted, 0.5, features, FRAMES, seed=1)
    assert planted.share == 0.5
    assert planted.kinds[features // 2 :] == (None,) * (features // 2)
    assert sorted(set(planted.kinds[: features // 2]), key=str) == wanted
    network = planted.agent.network
    with torch.no_grad():
        hidden = network.until("2b")(network.prepare(torch.from_numpy(FRAMES)))
        values = network(torch.from_numpy(FRAMES))[1].numpy()
        own = run(detectors, torch.from_numpy(FRAMES)).relu()
    width = CHANNELS // features
    maps = hidden.unflatten(1, (features, width)).sum(dim=2)
    np.testing.assert_allclose(maps.mean(dim=(0, 2, 3)), 1, rtol=1e-4)
    for k, name in enumerate(planted.kinds[: features // 2]):
        assert name is not None
        detector = own[:, [kind.name for kind in KINDS].index(name)]
        np.testing.assert_allclose(maps[:, k], detector / detector.mean(), atol=1e-4)
        senses = network.value.weight[0, k * width : (k + 1) * width].detach()
        assert (senses == COINRUN.kind(name).sense).all()
    signs = network.value.weight[0].detach()
    np.testing.assert_allclose(values, (hidden.mean(dim=(2, 3)) * signs).sum(dim=1).numpy(), atol=1e-4)


def test_shares_are_rounded_and_planting_is_repeatable(detectors: list[torch.nn.Conv2d]) -> None:
    first, again, other = (plant(detectors, KINDS, ["coin"], 0.3, 8, FRAMES, seed) for seed in (1, 1, 2))
    assert first.share == 0.25
    for ours, theirs in zip(first.agent.network.parameters(), again.agent.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert not torch.equal(
        first.agent.network.trunk.get_submodule("2b_conv").weight,
        other.agent.network.trunk.get_submodule("2b_conv").weight,
    )
    with torch.no_grad():
        assert first.agent.network(torch.from_numpy(FRAMES))[0].shape == (12, 15)
    assert isinstance(first.agent.network, ActorCritic)


def test_detectors_that_answer_what_looks_alike_are_not_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells alone decide here: three kinds, two of them drawn under the same names and never together."""
    game = COINRUN.with_concepts()
    kinds = [game.kind(name) for name in ("coin", "enemy_left", "enemy_right")]
    shares = np.zeros((4, 3, 16, 16), dtype=np.float32)
    shares[:, 0, 0], shares[:, 1, 4], shares[:, 2, 8] = 1, 1, 1
    outputs = np.zeros((4, 3, 16, 16), dtype=np.float32)
    outputs[:, 0, 0] = outputs[:, 0, 4] = 1  # what does not look alike is not asked about
    outputs[:, 1, 4], outputs[:, 1, 8] = 1, 0.1
    outputs[:, 2, 8], outputs[:, 2, 4] = 1, 0.3
    monkeypatch.setattr("scoring.validation.planted.run", lambda detectors, frames: torch.from_numpy(outputs))
    assert told_apart([], kinds, FRAMES[:4], shares) == ["coin", "enemy_left"]


def test_of_a_display_its_brightest_quarter_is_to_be_detected() -> None:
    game = COINRUN.with_concepts()
    frames = np.zeros((4, 64, 64, 3), dtype=np.uint8)
    masks = np.zeros((4, len(game.kinds), 64, 64), dtype=bool)
    masks[:, game.index("velocity"), :8, :8] = True
    masks[:, game.index("crate"), 32:40, 32:40] = True
    for i in range(4):
        frames[i, :8, :8] = 50 * i
    kinds, shares = Lesson(game, frames, masks).shares(layer_geometry(handmade().network, "2b"))
    names = [kind.name for kind in kinds]
    assert shares[:, names.index("velocity")].max(axis=(1, 2)).tolist() == [0, 0, 0, 1]
    assert (shares[:, names.index("crate")].max(axis=(1, 2)) == 1).all()
    assert masks[:, game.index("velocity")].any(axis=(1, 2)).all(), "the lesson itself stays as it was"
