"""Playing and evaluating agents."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from agents.checkpoint import untrained_agent
from agents.evaluation import wilson
from agents.play import Player, evaluate
from rollouts.env import EnvOptions
from rollouts.errors import InputError

OPTIONS = EnvOptions(num_levels=5)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (50, 50), (256, 512)])
def test_wilson_interval_agrees_with_scipy(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    np.testing.assert_allclose(wilson(successes, trials), (expected.low, expected.high), atol=1e-6)


def test_a_player_samples_from_the_policy_and_maps_actions() -> None:
    """Logit 1 of 3 dominates and stands for procgen's action 7."""
    agent = untrained_agent("compact", OPTIONS, seed=0, actions=(4, 7, 1))
    with torch.no_grad():
        agent.network.policy.weight.zero_()
        agent.network.policy.bias.copy_(torch.log(torch.tensor([0.1, 0.7, 0.2])))
    frames = np.zeros((3000, 64, 64, 3), dtype=np.uint8)
    actions = Player(agent, seed=0)(frames)
    shares = [float((actions == action).mean()) for action in (4, 7, 1)]
    np.testing.assert_allclose(shares, [0.1, 0.7, 0.2], atol=0.03)
    assert np.array_equal(actions, Player(agent, seed=0)(frames))
    assert not np.array_equal(actions, Player(agent, seed=1)(frames))


def test_every_environment_plays_the_same_number_of_episodes() -> None:
    """Of an agent that goes to the right and so meets its end soon, and the coin at times."""
    agent = untrained_agent("compact", OPTIONS, seed=0, actions=(7, 8))
    increments: list[int] = []
    found = evaluate(agent, OPTIONS, episodes=70, seed=0, progress=lambda more, note="": increments.append(more))
    assert found.episodes == 128, "64 environments with 2 episodes each"
    assert sum(increments) == 128
    assert found.levels == (0, 5)
    assert 0 < found.completed < 1
    assert found.mean_return == pytest.approx(10 * found.completed)
    assert 1 <= found.mean_length <= 1000
    assert evaluate(agent, OPTIONS, episodes=70, seed=0) == found
    with pytest.raises(InputError, match="at least 1"):
        evaluate(agent, OPTIONS, episodes=0, seed=0)
