"""Planted networks are what they say: their value, their parts side by side, and detectors that learn."""

import numpy as np
import pytest
import torch

from agents.networks import ActorCritic
from scoring.evidence import SCORED
from scoring.validation.planted import CHANNELS, DIRECTIONS, plant, run, stack, train_detectors
from scoring.verdict import SENSE

FRAMES = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def detectors() -> list[torch.nn.Conv2d]:
    torch.manual_seed(3)
    return stack(len(SCORED))


@pytest.mark.parametrize("features", [CHANNELS, DIRECTIONS])
def test_features_are_the_detectors_and_the_value_is_their_sum(detectors: list[torch.nn.Conv2d], features: int) -> None:
    wanted = ["coin", "saw"]
    planted = plant(detectors, SCORED, wanted, 0.5, features, FRAMES, seed=1)
    assert planted.share == 0.5
    assert planted.classes[features // 2 :] == (None,) * (features // 2)
    assert sorted(set(planted.classes[: features // 2]), key=str) == wanted
    network = planted.agent.network
    with torch.no_grad():
        hidden = network.until("2b")(network.prepare(torch.from_numpy(FRAMES)))
        values = network(torch.from_numpy(FRAMES))[1].numpy()
        own = run(detectors, torch.from_numpy(FRAMES)).relu()
    each = CHANNELS // features
    maps = hidden.unflatten(1, (features, each)).sum(dim=2)
    np.testing.assert_allclose(maps.mean(dim=(0, 2, 3)), 1, rtol=1e-4)
    for k, name in enumerate(planted.classes[: features // 2]):
        assert name is not None
        detector = own[:, SCORED.index(name)]
        np.testing.assert_allclose(maps[:, k], detector / detector.mean(), atol=1e-4)
        senses = network.value.weight[0, k * each : (k + 1) * each].detach()
        assert (senses == SENSE[name]).all()
    signs = network.value.weight[0].detach()
    np.testing.assert_allclose(values, (hidden.mean(dim=(2, 3)) * signs).sum(dim=1).numpy(), atol=1e-4)


def test_shares_are_rounded_and_planting_is_repeatable(detectors: list[torch.nn.Conv2d]) -> None:
    first, again, other = (plant(detectors, SCORED, ["coin"], 0.3, 8, FRAMES, seed) for seed in (1, 1, 2))
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


def test_detectors_learn_to_tell_a_red_square_from_a_green_one() -> None:
    generator = np.random.default_rng(1)
    frames, shares = np.zeros((256, 64, 64, 3), dtype=np.uint8), np.zeros((256, 2, 16, 16), dtype=np.float32)
    for i in range(256):
        for colour in range(2):
            y, x = generator.integers(0, 16, 2)
            frames[i, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4] = 0
            frames[i, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4, colour] = 255
            shares[i, :, y, x] = 0
            shares[i, colour, y, x] = 1
    convolutions = train_detectors(frames[:224], shares[:224], seed=0, batches=150, batch=32)
    with torch.no_grad():
        found = run(convolutions, torch.from_numpy(frames[224:])).numpy() > 0
    truth = shares[224:] > 0.25
    assert (found & truth).sum() > 0.8 * truth.sum()
    assert (found & truth).sum() > 0.8 * found.sum()
