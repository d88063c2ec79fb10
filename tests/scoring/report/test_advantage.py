"""The advantage that the page shows, and the scale of rewards that it is on."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from agents.checkpoint import Agent, untrained_agent
from agents.ppo import PPOConfig, RewardNormaliser
from rollouts.env import EnvOptions
from scoring.report.advantage import advantage, advantage_of, fitting_scale, returns

EPISODE = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
REWARDS = np.array([0, 0, 10, 0, 0, 0, 0, 0, 0], dtype=np.float32)
SCALE = 0.37


def agent(steps: int = 100, **training: object) -> Agent:
    made = untrained_agent("compact", EnvOptions(), 0)
    made.steps, made.training = steps, dict(training)
    return made


def right_values(scale: float, gamma: float = PPOConfig.gamma) -> NDArray[np.float64]:
    """What a critic without error says: the last frames' episode goes on to nothing."""
    return np.array([gamma**2, gamma, 1, 0, 0, 0, 0, 0, 0]) * 10 * scale


def test_advantage_is_that_of_a_slow_sum() -> None:
    values = np.array([1.0, 2.0, 4.0, 3.0, 5.0])
    rewards = np.array([0, 10, 0, 0, 7], dtype=np.float32)
    found = advantage(values, rewards, np.array([0, 0, 1, 1, 1]))
    decay = 0.999 * 0.95
    deltas = [0 + 0.999 * 2 - 1, 10 - 2, 0.999 * 3 - 4, 0.999 * 5 - 3]
    wanted = [deltas[0] + decay * deltas[1], deltas[1], deltas[2] + decay * deltas[3], deltas[3]]
    assert found[:4] == pytest.approx(wanted)
    assert math.isnan(found[4])


@pytest.mark.parametrize("gamma", [PPOConfig.gamma, 0.9])
def test_a_critic_without_error_has_advantage_0(gamma: float) -> None:
    trained = agent(reward_scale=SCALE, ppo={"gamma": gamma, "gae_lambda": 0.8})
    found = advantage_of("it", trained, right_values(SCALE, gamma), REWARDS, EPISODE)
    assert found.values[:-1] == pytest.approx(0, abs=1e-6)
    assert found.note == "Advantage of it: rewards times 0.37, the scale on which its values were learnt."
    raw = advantage_of("it", agent(reward_scale=1.0), right_values(SCALE), REWARDS, EPISODE)
    assert np.abs(raw.values[:-1]).max() > 5, "rewards of another scale than the values"


def test_rewards_are_clipped_as_in_training() -> None:
    normaliser = RewardNormaliser(1, 0.99)
    normaliser.variance, normaliser.count = 0.01, 1e9
    (learnt,) = normaliser(np.array([10], np.float32), np.array([True]))
    assert learnt == 10
    found = advantage_of("it", agent(reward_scale=normaliser.scale), np.zeros(3), REWARDS[2:5], np.array([0, 1, 1]))
    assert found.values[0] == pytest.approx(10)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (agent(), "its file does not say on which scale its values were learnt"),
        (agent(0), "it was never trained, and its values are on no scale"),
        (agent(0, source="elsewhere"), "it was trained elsewhere, and its values are on a scale of its own"),
    ],
)
def test_an_agent_that_does_not_say_its_scale_gets_the_one_that_fits_and_says_so(made: Agent, why: str) -> None:
    found = advantage_of("it", made, right_values(SCALE), REWARDS, EPISODE)
    assert found.values[:-1] == pytest.approx(0, abs=1e-6)
    assert found.note == (
        f"Advantage of it: {why}; rewards are taken times 0.37, which makes the returns of the episodes that end here "
        "as large as its values on average."
    )
    for values, rewards, episode in (
        (-right_values(SCALE), REWARDS, EPISODE),
        (np.zeros(9), REWARDS, EPISODE),
        (right_values(SCALE), np.zeros(9, np.float32), EPISODE),
        (right_values(SCALE), REWARDS, np.zeros(9, int)),
    ):
        nothing = advantage_of("it", made, values, rewards, episode)
        assert np.isnan(nothing.values).all()
        assert nothing.note == f"Advantage of it is not shown: {why}, and the episodes here do not tell it."


def test_the_scale_of_a_critic_that_tells_no_frames_apart() -> None:
    earned = returns(REWARDS, EPISODE, 0.5)
    assert earned[:7] == pytest.approx([2.5, 5, 10, 0, 0, 0, 0])
    assert np.isnan(earned[7:]).all(), "the last episode may go on"
    constant = np.full(9, SCALE * 17.5 / 7)
    assert fitting_scale(constant, REWARDS, EPISODE, 0.5) == pytest.approx(SCALE)
