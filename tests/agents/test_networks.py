"""The networks are the published ones, and can be cut behind every layer."""

import pytest
import torch
from torch import nn

from agents.networks import NETWORKS, ActorCritic, L2Pool
from rollouts.errors import InputError


def frames(count: int = 2) -> torch.Tensor:
    return torch.randint(0, 256, (count, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("network", "parameters"),
    [
        ("clear", 360_138),  # Hilton et al. 2020 with 9 actions, summed over their layer table
        # 5*5*3*16+16, 5*5*16*32+32, 3*3*32*32+32 twice, 512*256+256, 256*10+10
        ("compact", 1_216 + 12_832 + 9_248 * 2 + 131_328 + 2_570),
        # 8*8*3*32+32, 4*4*32*64+64, 3*3*64*64+64, 1024*512+512, 512*10+10
        ("nature", 6_176 + 32_832 + 36_928 + 524_800 + 5_130),
        # convolutions 448, 4640, 9248; 4 residual convolutions per block; 2048*256+256; 256*10+10
        ("impala", 448 + 4 * 2_320 + 4_640 + 4 * 9_248 + 9_248 + 4 * 9_248 + 524_544 + 2_570),
    ],
)
def test_parameter_counts(network: str, parameters: int) -> None:
    assert sum(p.numel() for p in ActorCritic(network, 9).parameters()) == parameters


@pytest.mark.parametrize("network", NETWORKS)
def test_every_layer_splits_the_network_without_changing_it(network: str) -> None:
    torch.manual_seed(0)
    agent = ActorCritic(network, 15)
    logits, value = agent(frames())
    assert logits.shape == (2, 15)
    assert value.shape == (2,)
    assert agent.default_layer in agent.layers
    for layer in agent.layers:
        hidden = agent.until(layer)(agent.prepare(frames()))
        split_logits, split_value = agent.after(layer)(hidden)
        assert torch.equal(split_logits, logits)
        assert torch.equal(split_value, value)


def test_an_unknown_layer_is_answered_with_the_list() -> None:
    with pytest.raises(InputError, match="1a, 2a, 2b, 3a"):
        ActorCritic("compact", 15).until("5a")
    with pytest.raises(InputError, match="clear, compact, impala, nature"):
        ActorCritic("resnet", 15)


def test_l2_pool_by_hand() -> None:
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert L2Pool()(x).item() == pytest.approx((30 / 4 + 1e-8) ** 0.5)


@pytest.mark.parametrize("network", NETWORKS)
def test_initialisation(network: str) -> None:
    """Glorot-uniform bounds, zero biases, orthogonal heads with gains 0.01 and 1."""
    agent = ActorCritic(network, 15)
    for module in agent.trunk.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            area = module.weight[0, 0].numel()
            bound = (6 / (area * (module.weight.shape[0] + module.weight.shape[1]))) ** 0.5
            assert bound * 0.9 < module.weight.abs().max() <= bound
            assert not module.bias.any()
        if isinstance(module, nn.ReLU):
            assert not module.inplace
    gram = agent.policy.weight @ agent.policy.weight.T
    torch.testing.assert_close(gram, 1e-4 * torch.eye(15), atol=1e-7, rtol=0)
    assert agent.value.weight.norm().item() == pytest.approx(1, rel=1e-5)
