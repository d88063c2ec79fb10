"""Editing a feature out of an agent: the weights behind a layer no longer read its direction (Hilton et al. 2020)."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.checkpoint import Agent
from agents.networks import OBSERVATION_SHAPE, ActorCritic
from rollouts.errors import InputError


def without_feature(agent: Agent, layer: str, direction: NDArray[np.float32]) -> Agent:
    """A new agent that does not read `direction` (C,) of a layer's C channels; the given one is left as it is.

    Hilton et al. 2020, appendix A: W' = W P with P = I - v v^T / |v|^2 on the input channels of the first weights
    behind the layer, at every place of the kernel; a dense layer's inputs are channel-major (C, height, width) and are
    projected the same way at every cell. Where the layer is pooled before, v is projected out of the *pooled* channels,
    as in the paper. L2 pooling takes each channel by itself, and mixes none, but is not linear: only for a direction
    along one channel is what is taken out exactly what the layer had along v.

    Raises `InputError` for a direction of another length, or zero, or not finite, and as `reader` does.
    """
    name = reader(agent.network, layer)
    channels = _channels(agent.network, layer)
    v = torch.as_tensor(np.asarray(direction), dtype=torch.float64)
    if v.shape != (channels,):
        raise InputError(f"The direction has shape {tuple(v.shape)}; layer {layer} has {channels} channels.")
    if not torch.isfinite(v).all() or not v.any():
        raise InputError("The direction is zero or not finite; there is nothing to project out.")
    network = deepcopy(agent.network)
    weight = _weight(network, name)
    with torch.no_grad():
        weight.copy_(project_out(weight, v.to(weight.device)))
    return replace(agent, network=network, evaluation={})


def project_out(weight: Tensor, v: Tensor) -> Tensor:
    """W - (W v) v^T / |v|^2 on the input channels of a weight (out, C, ...) or (out, C * cells), in float64."""
    by_channel = weight.double().reshape(len(weight), len(v), -1)
    along = torch.einsum("ocp,c->op", by_channel, v) / v.square().sum()
    return (by_channel - torch.einsum("op,c->ocp", along, v)).reshape(weight.shape)


def reader(network: ActorCritic, layer: str) -> str:
    """The trunk's convolution or dense layer that reads `layer`, with nothing but pooling and the like between.

    Raises `InputError` for a layer that the network does not have, that a residual block reads (its skip path carries
    the direction on, whatever the weights), or that only the heads read.
    """
    network.until(layer)
    modules = list(network.trunk.named_children())
    start = [name for name, _ in modules].index(layer) + 1
    for name, module in modules[start:]:
        if isinstance(module, nn.Conv2d | nn.Linear):
            return name
        if any(True for _ in module.parameters()):
            raise InputError(
                f"Layer {layer} of {network.kind} is read by {name}, which has a skip path; a feature can be edited "
                "out only before a convolution or dense layer."
            )
    raise InputError(f"Only the heads of {network.kind} read layer {layer}; there are no weights to edit.")


def _weight(network: ActorCritic, name: str) -> Tensor:
    weight = network.trunk.get_submodule(name).weight
    assert isinstance(weight, Tensor)
    return weight


@torch.no_grad()
def _channels(network: ActorCritic, layer: str) -> int:
    blank = torch.zeros(1, *OBSERVATION_SHAPE, dtype=torch.uint8, device=network.value.weight.device)
    return int(network.until(layer)(network.prepare(blank)).shape[1])
