"""Networks that must fail, or pass for a known reason: randomised, distilled from shuffled values, and made by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.checkpoint import Agent, untrained_agent
from agents.networks import ActorCritic, Blueprint
from rollouts.env import EnvOptions

Frames = NDArray[np.uint8]

HANDMADE = ("edges", "constant", "yellow", "blurred edges", "horizontal edges", "vertical edges")
YELLOW = 0.82
"""A pixel is yellow where (red + green) / 2 - blue is more than this; the coin, (1, 0.8, 0), has 0.9."""


def randomised(agent: Agent, parts: Sequence[str], seed: int) -> Agent:
    """The agent with the weights of some modules (`value`, or names of the trunk) those of an untrained network.

    Cascading randomisation (Adebayo et al. 2018) adds one part after the other, from the heads down.
    """
    fresh = untrained_agent(agent.network.kind, agent.options, seed, agent.actions)
    weights = dict(agent.network.state_dict())
    wanted = tuple("value." if part == "value" else f"trunk.{part}." for part in parts)
    weights |= {name: value for name, value in fresh.network.state_dict().items() if name.startswith(wanted)}
    fresh.network.load_state_dict(weights)
    return fresh


def cascade(network: ActorCritic) -> list[str]:
    """The parts with weights of a network without residual links, from the value head down."""
    return ["value", *[name for name, module in network.trunk.named_children() if list(module.parameters())][::-1]]


def distilled(
    network: str,
    frames: Frames,
    values: NDArray[np.float32],
    loss: float,
    seed: int,
    batch: int = 128,
    most: int = 400,
) -> tuple[Agent, float]:
    """An untrained network trained to output `values` (N,) on `frames`, until its mean squared error is below `loss`.

    Returns the agent and the error it reached, which is above `loss` where `most` epochs do not suffice. `values` are
    best standardised: `loss` is then the part of the variance left unexplained.
    """
    agent = untrained_agent(network, EnvOptions(), seed)
    generator = torch.Generator().manual_seed(seed)
    inputs, targets = torch.from_numpy(frames), torch.from_numpy(values)
    optimiser = torch.optim.Adam(agent.network.parameters(), lr=1e-3)
    reached = float("inf")
    for _ in range(most):
        total = 0.0
        for chosen in torch.randperm(len(frames), generator=generator).split(batch):
            error = (agent.network(inputs[chosen])[1] - targets[chosen]).square().mean()
            optimiser.zero_grad()
            error.backward()
            optimiser.step()
            total += float(error.detach()) * len(chosen)
        reached = total / len(frames)
        if reached <= loss:
            break
    return agent, reached


def handmade() -> Agent:
    """Features at 2b: the strength of edges (Sobel's filters), a constant, the yellow of the coin, and other edges.

    Those are edges blurred over 5 x 5 pixels of half the frame's resolution, and edges of one orientation alone. The
    value is the sum of their means. A cell's feature is the mean over about its own place in the frame.
    """
    count = len(HANDMADE)
    first = nn.Conv2d(3, 6, 5, 2, padding=2)
    second = nn.Conv2d(6, count, 5, 2, padding=2)
    readout = nn.Conv2d(count, count, 3, padding=1)
    sobel = torch.tensor([[1.0, 2.0, 1.0], [0.0, 0.0, 0.0], [-1.0, -2.0, -1.0]]) / 4
    luminance = torch.tensor([0.299, 0.587, 0.114])
    with torch.no_grad():
        for convolution in (first, second, readout):
            convolution.weight.zero_()
            _bias(convolution).zero_()
        for channel, kernel in enumerate((sobel, -sobel, sobel.T, -sobel.T)):
            first.weight[channel, :, 1:4, 1:4] = luminance[:, None, None] * kernel
        first.weight[4, :, 2, 2] = torch.tensor([0.5, 0.5, -1.0])
        _bias(first)[4] = -YELLOW
        _bias(first)[5] = 1.0
        for feature, channels in enumerate((range(4), (5,), (4,), range(4), (0, 1), (2, 3))):
            for channel in channels:
                if HANDMADE[feature] == "blurred edges":
                    second.weight[feature, channel] = 1 / 25
                else:
                    second.weight[feature, channel, 1:4, 1:4] = 1 / 9
            readout.weight[feature, feature, 1, 1] = 1.0
    modules: dict[str, nn.Module] = {}
    for name, convolution in (("1a", first), ("2a", second), ("2b", readout)):
        modules |= {f"{name}_conv": convolution, name: nn.ReLU()}
    return assemble("handmade", modules, np.ones(len(HANDMADE)))


def assemble(name: str, modules: dict[str, nn.Module], readout: NDArray[Any]) -> Agent:
    """An agent whose value is `readout` (K,) times the mean activations of the last of `modules`, its layer 2b.

    All its actions are equally likely.
    """
    weights = {
        part: {key: value.clone() for key, value in module.state_dict().items()} for part, module in modules.items()
    }
    modules = modules | {"mean": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    network = ActorCritic(name, 15, Blueprint(modules, len(readout), ("1a", "2a", "2b"), "2b"))
    for part, state in weights.items():  # building a network initialises its convolutions anew
        network.trunk.get_submodule(part).load_state_dict(state)
    with torch.no_grad():
        network.value.weight.copy_(torch.from_numpy(readout.astype(np.float32))[None])
        network.policy.weight.zero_()  # all actions alike
    network.eval()
    return Agent(network, EnvOptions())


def _bias(convolution: nn.Conv2d) -> torch.Tensor:
    assert convolution.bias is not None
    return convolution.bias
