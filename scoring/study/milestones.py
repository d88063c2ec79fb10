"""Rungs at equal completion: of each agent the checkpoint that completes as many training levels as every rung does."""

from collections.abc import Mapping, Sequence

import numpy as np

from agents.checkpoint import Agent

POINTS = 16
"""Of the training curve, one an update, each the mean of the last 100 episodes."""
REWARD = 10
"""What CoinRun pays for a completed level; it pays nothing else."""


def completes(agent: Agent) -> float:
    """Share of training levels completed over the last `POINTS` points of the curve; nan for an agent without one."""
    returns = [value for _, value in agent.curve[-POINTS:]]
    return float(np.mean(returns)) / REWARD if returns else float("nan")


def at_equal_completion(checkpoints: Mapping[str, Sequence[Agent]]) -> tuple[float, dict[str, Agent]]:
    """The highest share that some checkpoint of every agent completes, and of each agent the checkpoint nearest to it.

    `checkpoints` are those of each agent; the earliest is taken where two are equally near. nan where an agent has
    none with a curve.
    """
    shares = {name: np.array([completes(each) for each in own]) for name, own in checkpoints.items()}
    level = min(float(share.max()) for share in shares.values())
    return level, {name: own[int(np.abs(shares[name] - level).argmin())] for name, own in checkpoints.items()}
