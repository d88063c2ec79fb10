"""PPO against numbers worked out another way."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from agents.computation import Computation
from agents.networks import ActorCritic
from agents.ppo import Learner, PPOConfig, RewardNormaliser, Rollout, advantages, losses
from rollouts.errors import InputError


def random_rollout(generator: torch.Generator, steps: int, envs: int, end_rate: float = 0.2) -> Rollout:
    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    first = torch.rand(steps + 1, envs, generator=generator) < end_rate
    return Rollout(
        frames=torch.zeros(steps, envs, 1),
        actions=torch.zeros(steps, envs, dtype=torch.int64),
        log_probs=normal(steps, envs),
        values=normal(steps, envs),
        rewards=normal(steps, envs),
        first=first[:-1],
        last_value=normal(envs),
        last_first=first[-1],
    )


@given(seed=st.integers(0, 2**31), steps=st.integers(1, 12), envs=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_advantages_equal_the_closed_form_sum(seed: int, steps: int, envs: int) -> None:
    """A_t = sum over l of (gamma lambda)^l delta_{t+l}, up to the end of the episode (Schulman et al. 2016, eq. 16)."""
    gamma, lam = 0.9, 0.8
    rollout = random_rollout(torch.Generator().manual_seed(seed), steps, envs)
    found = advantages(rollout, gamma, lam)
    values = torch.cat([rollout.values, rollout.last_value[None]])
    first = torch.cat([rollout.first, rollout.last_first[None]])
    for env in range(envs):
        for t in range(steps):
            expected = 0.0
            for ahead in range(steps - t):
                now = t + ahead
                over = bool(first[now + 1, env])
                delta = rollout.rewards[now, env] - values[now, env] + (0 if over else gamma * values[now + 1, env])
                expected += (gamma * lam) ** ahead * float(delta)
                if over:
                    break
            assert float(found[t, env]) == pytest.approx(expected, abs=1e-9)


def test_advantages_with_lambda_one_are_returns_minus_values() -> None:
    rollout = random_rollout(torch.Generator().manual_seed(0), 5, 1, end_rate=0.0)
    found = advantages(rollout, 0.5, 1.0)
    discounts = 0.5 ** torch.arange(6, dtype=torch.float64)
    total = float((torch.cat([rollout.rewards[:, 0], rollout.last_value]) * discounts).sum())
    assert float(found[0, 0]) == pytest.approx(total - float(rollout.values[0, 0]))


def test_losses_by_hand() -> None:
    """One sample whose ratio is clipped, one whose value is clipped."""
    logits = torch.log(torch.tensor([[0.6, 0.4], [0.5, 0.5]]))
    found = losses(
        logits,
        values=torch.tensor([1.0, 3.0]),
        actions=torch.tensor([0, 1]),
        old_log_probs=torch.log(torch.tensor([0.3, 0.5])),
        old_values=torch.tensor([1.0, 1.0]),
        advantage=torch.tensor([1.0, -2.0]),
        returns=torch.tensor([2.0, 0.5]),
        clip=0.2,
    )
    assert float(found.policy) == pytest.approx(-(1.2 * 1.0 + 1.0 * -2.0))  # ratio 2 counts as 1.2
    assert float(found.value) == pytest.approx(0.5 * (1.0 + 2.5**2))  # 3 is further off than the clipped 1.2
    entropy = -(0.6 * np.log(0.6) + 0.4 * np.log(0.4)) + np.log(2)
    assert float(found.entropy) == pytest.approx(entropy)
    assert float(found.approx_kl) == pytest.approx(2 - 1 - np.log(2))
    assert float(found.clip_fraction) == 1


def test_reward_normaliser_equals_the_variance_of_all_returns_so_far() -> None:
    generator = np.random.default_rng(0)
    rewards = generator.random((50, 4)).astype(np.float32)
    first = generator.random((50, 4)) < 0.1
    normaliser = RewardNormaliser(4, gamma=0.9)
    returns, running = [], np.zeros(4)
    for reward, ended in zip(rewards, first, strict=True):
        running = running * 0.9 + reward
        returns.append(running.copy())
        running[ended] = 0
        scaled = normaliser(reward, ended)
    assert normaliser.variance == pytest.approx(np.var(returns), rel=1e-3)
    np.testing.assert_allclose(scaled, rewards[-1] / np.sqrt(np.var(returns)), rtol=1e-3)


def test_the_first_minibatch_has_ratio_one_and_no_divergence() -> None:
    """Before the first gradient step the policy is the one that played."""
    torch.manual_seed(0)
    config = PPOConfig(num_envs=4, rollout_steps=16, minibatches=1, epochs=1, learning_rate=1e-30)
    learner = Learner(ActorCritic("compact", 15), config, Computation(slice_size=16))
    generator = torch.Generator().manual_seed(0)
    frames = torch.randint(0, 256, (16, 4, 64, 64, 3), dtype=torch.uint8, generator=generator)
    played = [learner.act(frames[t], generator) for t in range(16)]
    actions, log_probs, values = (torch.stack(column) for column in zip(*played, strict=True))
    zeros = torch.zeros(16, 4)
    rollout = Rollout(frames, actions, log_probs, values, torch.rand(16, 4), zeros.bool(), zeros[0], zeros[0].bool())
    found = learner.update(rollout, generator)
    assert found["clip_fraction"] == 0
    assert found["approx_kl"] == pytest.approx(0, abs=1e-7)
    logits, _ = learner.forward(frames.flatten(0, 1))
    again = logits.log_softmax(-1).gather(-1, actions.flatten()[:, None])[:, 0]
    torch.testing.assert_close((again - log_probs.flatten()).exp(), torch.ones(64), atol=1e-5, rtol=0)


def test_actions_are_drawn_with_the_policy_s_probabilities() -> None:
    """10,000 draws for one frame against the network's own softmax, by a chi-squared test."""
    torch.manual_seed(0)
    network = ActorCritic("compact", 15)
    with torch.no_grad():
        network.policy.bias.copy_(torch.linspace(-2, 2, 15))
    learner = Learner(network, PPOConfig(), Computation())
    frames = torch.randint(0, 256, (1, 64, 64, 3), dtype=torch.uint8).expand(10_000, -1, -1, -1)
    with torch.no_grad():
        probabilities = learner.forward(frames[:1])[0].softmax(-1)[0].double()
    assert probabilities.max() > 0.1
    actions, log_probs, _ = learner.act(frames, torch.Generator().manual_seed(1))
    counts = torch.bincount(actions, minlength=15).double()
    assert chisquare(counts.numpy(), (10_000 * probabilities / probabilities.sum()).numpy()).pvalue > 0.001
    torch.testing.assert_close(log_probs.double(), probabilities[actions].log(), atol=1e-4, rtol=1e-4)


def test_slices_add_up_to_the_whole_minibatch() -> None:
    """The update does not depend on how a minibatch is sliced."""
    weights = []
    for slice_size in (8, 64):
        torch.manual_seed(0)
        config = PPOConfig(num_envs=4, rollout_steps=16, minibatches=2, epochs=1)
        learner = Learner(ActorCritic("compact", 15), config, Computation(slice_size=slice_size))
        generator = torch.Generator().manual_seed(1)
        rollout = random_rollout(generator, 16, 4)
        rollout.frames = torch.randint(0, 256, (16, 4, 64, 64, 3), dtype=torch.uint8, generator=generator)
        for name in ("log_probs", "values", "rewards", "last_value"):
            setattr(rollout, name, getattr(rollout, name).float())
        rollout.log_probs = torch.full((16, 4), float(np.log(1 / 15)))
        learner.update(rollout, generator)
        weights.append(torch.cat([p.detach().flatten() for p in learner.network.parameters()]))
    # Adam's first steps have the size of the learning rate whatever the gradient, so rounding can show.
    torch.testing.assert_close(weights[0], weights[1], atol=2e-4, rtol=0)
    assert (weights[0] - weights[1]).abs().mean() < 1e-6


@pytest.mark.parametrize(("field", "value"), [("num_envs", 0), ("minibatches", 7), ("epochs", -1)])
def test_settings_that_cannot_be_are_refused(field: str, value: int) -> None:
    with pytest.raises(InputError, match=r"from 1 to|at least 1|do not divide"):
        PPOConfig(**{field: value})


def test_a_rollout_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(InputError, match=r"num_envs x rollout_steps is 4294967296; it must be at most 16,777,216"):
        PPOConfig(num_envs=65_536, rollout_steps=65_536)


def test_the_learning_rate_falls_with_the_square_root_of_steps() -> None:
    config = PPOConfig(decay_start=1000)
    assert [config.decay(steps) for steps in (0, 1000, 4000, 16_000)] == pytest.approx([1, 1, 0.5, 0.25])
    assert PPOConfig().decay(10**9) == 1
    learner = Learner(ActorCritic("compact", 9), config, Computation())
    learner.set_rate(3e-4)
    assert [group["lr"] for group in learner.optimiser.param_groups] == [3e-4]
    with pytest.raises(InputError, match="decay_start is -1"):
        PPOConfig(decay_start=-1)


@pytest.mark.parametrize("spread", [0.1, 3.0])
def test_the_factor_is_what_the_next_reward_of_that_size_is_multiplied_by(spread: float) -> None:
    """Small spreads make it reach the limit of 10."""
    normaliser = RewardNormaliser(4, gamma=0.9)
    normaliser.variance, normaliser.count = spread**2, 1e15
    scaled = normaliser(np.array([10, 0, 0, 0], dtype=np.float32), np.zeros(4, dtype=bool))
    assert normaliser.factor(10) == pytest.approx(float(scaled[0]) / 10, rel=1e-6)
    assert normaliser.factor(10) == pytest.approx(min(1, 1 / spread), rel=1e-6)
