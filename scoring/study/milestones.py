"""What checkpoints along a training complete, and of each agent the one that completes as much as every rung did."""

import numpy as np
import pandas as pd

from agents.checkpoint import Agent

POINTS = 16
"""Of the training curve, one an update, each the mean of the last 100 episodes."""


def completes(agent: Agent) -> float:
    """Share of training levels completed over the last `POINTS` points of the curve; nan for an agent without one."""
    returns = [value for _, value in agent.curve[-POINTS:]]
    return float(np.mean(returns)) / agent.options.rules.completed_return if returns else float("nan")


def at_equal_completion(checkpoints: pd.DataFrame) -> tuple[float, pd.DataFrame]:
    """The highest share that some checkpoint of every agent completes, and of each agent the checkpoint nearest to it.

    `checkpoints` has a row each, with `agent`, `steps` and what it `completes`; the earliest is taken where two are
    equally near. Rows without a share are left out.
    """
    known = checkpoints.dropna(subset="completes").sort_values(["agent", "steps"])
    level = float(known.groupby("agent")["completes"].max().min())
    nearest = (known["completes"] - level).abs().groupby(known["agent"]).idxmin()
    return level, known.loc[nearest]
