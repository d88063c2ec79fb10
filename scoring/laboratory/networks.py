"""Networks that a method or a score must answer for: randomised, and distilled from given values."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent, untrained_agent
from agents.networks import ActorCritic
from rollouts.env import EnvOptions

HEADS = ("value", "policy")
Frames = NDArray[np.uint8]


def randomised(agent: Agent, parts: Sequence[str], seed: int) -> Agent:
    """The agent with the weights of some modules (a head, or names of the trunk) those of an untrained network.

    Cascading randomisation (Adebayo et al. 2018) adds one part after the other, from the heads down.
    """
    fresh = untrained_agent(agent.network.kind, agent.options, seed, agent.actions)
    weights = dict(agent.network.state_dict())
    wanted = tuple(f"{part}." if part in HEADS else f"trunk.{part}." for part in parts)
    weights |= {name: value for name, value in fresh.network.state_dict().items() if name.startswith(wanted)}
    fresh.network.load_state_dict(weights)
    return fresh


def cascade(network: ActorCritic, head: str = "value") -> list[str]:
    """The parts with weights of a network, from a head (`value` or `policy`) down."""
    return [head, *[name for name, module in network.trunk.named_children() if list(module.parameters())][::-1]]


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
