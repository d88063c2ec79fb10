"""How much better than expected each step of a trajectory went, on the scale on which an agent's values were learnt."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.checkpoint import Agent
from agents.ppo import CLIPPED, PPOConfig, Rollout, advantages

FloatArray = NDArray[np.float64]
Rewards = NDArray[np.float32]
Episodes = NDArray[np.int64]


@dataclass(frozen=True)
class Advantage:
    """`values` (N,) of consecutive frames, nan where there is none; `note` says on which scale the rewards are."""

    values: FloatArray
    note: str


def advantage_of(name: str, agent: Agent, values: FloatArray, rewards: Rewards, episode: Episodes) -> Advantage:
    """An agent's, from its values (N,), the rewards (N,) after each frame, and the episode (N,) that each is of.

    Rewards are normalised as when its values were learnt last. For an agent that does not say how, they are multiplied
    by what makes the returns of the episodes that end here as large as the values on average; without any, there is no
    advantage.
    """
    ppo = agent.training.get("ppo", {})
    gamma, gae_lambda = ppo.get("gamma", PPOConfig.gamma), ppo.get("gae_lambda", PPOConfig.gae_lambda)
    scale = agent.training.get("reward_scale")
    if scale is not None:
        note = f"Advantage of {name}: rewards times {scale:.3g}, the scale on which its values were learnt."
    else:
        scale = fitting_scale(values, rewards, episode, gamma)
        if scale is None:
            none = f"Advantage of {name} is not shown: {_why_unknown(agent)}, and the episodes here do not tell it."
            return Advantage(np.full(len(values), np.nan), none)
        note = (
            f"Advantage of {name}: {_why_unknown(agent)}; rewards are taken times {scale:.3g}, which makes the returns "
            "of the episodes that end here as large as its values on average."
        )
    return Advantage(advantage(values, np.clip(scale * rewards, -CLIPPED, CLIPPED), episode, gamma, gae_lambda), note)


def _why_unknown(agent: Agent) -> str:
    if "source" in agent.training:
        return "it was trained elsewhere, and its values are on a scale of its own"
    if not agent.steps:
        return "it was never trained, and its values are on no scale"
    return "its file does not say on which scale its values were learnt"


def advantage(
    values: FloatArray,
    rewards: Rewards,
    episode: Episodes,
    gamma: float = PPOConfig.gamma,
    gae_lambda: float = PPOConfig.gae_lambda,
) -> FloatArray:
    """Generalised advantage (N,) of consecutive frames, as in training; nan for the last, whose future is not known.

    The rewards are on the scale of the values.
    """
    first = np.concatenate([[True], episode[1:] != episode[:-1]])

    def column(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array[:-1]))[:, None]

    none = torch.empty(0)
    rollout = Rollout(
        none,
        none,
        none,
        column(values),
        column(rewards),
        column(first),
        torch.tensor(values[-1:]),
        torch.tensor(first[-1:]),
    )
    known = advantages(rollout, gamma, gae_lambda)[:, 0].numpy()
    return np.append(known, np.nan)


def returns(rewards: Rewards, episode: Episodes, gamma: float) -> FloatArray:
    """Discounted returns (N,) of consecutive frames; nan in the last episode, which may go on."""
    result, running = np.full(len(rewards), np.nan), np.nan
    for t in reversed(range(len(rewards) - 1)):
        ends = episode[t + 1] != episode[t]
        running = float(rewards[t]) + (0.0 if ends else gamma * running)
        result[t] = running
    return result


def fitting_scale(values: FloatArray, rewards: Rewards, episode: Episodes, gamma: float) -> float | None:
    """The mean value over the mean return, of episodes that end here; None unless both are above 0.

    A critic whose values are right on average gets its scale, whether or not it tells frames apart.
    """
    earned = returns(rewards, episode, gamma)
    known = ~np.isnan(earned)
    if not known.any() or earned[known].mean() <= 0 or values[known].mean() <= 0:
        return None
    return float(values[known].mean() / earned[known].mean())
