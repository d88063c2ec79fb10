"""Checkpoints at equal completion, worked out by hand."""

import math
from dataclasses import replace

import pandas as pd

from agents.checkpoint import Agent, untrained_agent
from rollouts.env import EnvOptions
from scoring.study.milestones import POINTS, at_equal_completion, completes


def agents(*returns: float) -> list[Agent]:
    """Checkpoints, each of which ended with those returns for long enough."""
    first = untrained_agent("nature", EnvOptions(), 0)
    return [
        replace(first, steps=part, curve=[(0, 0.0)] + [(step, value) for step in range(POINTS)])
        for part, value in enumerate(returns, start=1)
    ]


def test_what_a_checkpoint_completes_is_its_late_mean_return() -> None:
    (agent,) = agents(7.0)
    assert completes(agent) == 0.7
    agent.curve[-1] = (0, 7.0 + POINTS * 0.5)
    assert math.isclose(completes(agent), 0.75)
    assert math.isnan(completes(untrained_agent("nature", EnvOptions(), 0)))


def test_the_level_is_the_highest_that_every_agent_reached() -> None:
    shares = {"slow": (0.3, 0.4, 0.5), "fast": (0.4, 0.6, 0.8), "early": (0.6, 0.4, 0.9), "unknown": (math.nan,) * 3}
    rows = [(name, steps, share) for name, own in shares.items() for steps, share in enumerate(own, start=1)]
    level, chosen = at_equal_completion(pd.DataFrame(reversed(rows), columns=["agent", "steps", "completes"]))
    assert level == 0.5
    assert dict(zip(chosen["agent"], chosen["steps"], strict=True)) == {"slow": 3, "fast": 1, "early": 1}
