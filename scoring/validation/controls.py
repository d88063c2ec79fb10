"""Networks made by hand, that must fail, or pass for a known reason."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.checkpoint import Agent
from agents.networks import ActorCritic, Blueprint
from rollouts.env import EnvOptions

HANDMADE = ("edges", "constant", "yellow", "blurred edges", "horizontal edges", "vertical edges")
YELLOW = 0.82
"""A pixel is yellow where (red + green) / 2 - blue is more than this; the coin, (1, 0.8, 0), has 0.9."""


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
