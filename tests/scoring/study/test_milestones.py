"""Checkpoints at equal completion, worked out by hand."""

import math
from dataclasses import replace

from agents.checkpoint import Agent, untrained_agent
from rollouts.coinrun import EnvOptions
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
    checkpoints = {"slow": agents(3, 4, 5), "fast": agents(4, 6, 8), "early": agents(6, 4, 9)}
    level, chosen = at_equal_completion(checkpoints)
    assert level == 0.5
    assert {name: agent.steps for name, agent in chosen.items()} == {"slow": 3, "fast": 1, "early": 1}
