"""Proximal policy optimisation (Schulman et al. 2017): pure functions and the learner that applies them."""

from dataclasses import dataclass, fields
from typing import Annotated

import numpy as np
import torch
from annotated_types import Interval
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.computation import Computation
from agents.networks import ActorCritic
from rollouts.errors import InputError
from rollouts.progress import Check, unhindered
from rollouts.ranges import Coefficient, Count, CountOrNone, Positive, Rate, Share, check, check_ranges


class TrainingError(InputError):
    """Training cannot go on with these settings."""


@dataclass(frozen=True)
class PPOConfig:
    """The settings shared by train-procgen (Cobbe et al. 2020), CleanRL and Hilton et al. 2020.

    `decay_start` is the environment step from which on the learning rate falls, 0 for never. Raises `InputError` for
    what lies outside of its range, and for minibatches that do not divide a rollout.
    """

    num_envs: Annotated[int, Interval(ge=1, le=65_536)] = 64
    rollout_steps: Annotated[int, Interval(ge=1, le=65_536)] = 256
    minibatches: Count = 8
    epochs: Count = 3
    learning_rate: Rate = 5e-4
    adam_eps: Rate = 1e-5
    gamma: Share = 0.999
    gae_lambda: Share = 0.95
    clip: Rate = 0.2
    entropy_coef: Coefficient = 0.01
    value_coef: Coefficient = 0.5
    max_grad_norm: Positive = 0.5
    decay_start: CountOrNone = 0

    def __post_init__(self) -> None:
        check_ranges(self)
        check(self.batch_size, Annotated[int, Interval(le=2**24)], "num_envs x rollout_steps")
        if self.batch_size % self.minibatches:
            raise InputError(
                f"{self.num_envs} environments x {self.rollout_steps} steps do not divide into "
                f"{self.minibatches} minibatches."
            )

    @property
    def batch_size(self) -> int:
        """Transitions of one rollout."""
        return self.num_envs * self.rollout_steps

    def decay(self, steps: int) -> float:
        """What is left of the learning rate after `steps` environment steps: sqrt(start / steps).

        It does not depend on how long the training will be, so a training can be prolonged (the decay of Vaswani et al.
        2017, equation 3, in environment steps).
        """
        return 1.0 if steps <= self.decay_start or self.decay_start == 0 else float(np.sqrt(self.decay_start / steps))


@dataclass
class Rollout:
    """`rollout_steps` transitions of `num_envs` environments; time is the first axis of every array.

    `first[t]` says that `frames[t]` begins an episode; `rewards[t]` follows `actions[t]`; `last_first` and
    `last_value` belong to the frame after the last.
    """

    frames: Tensor
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    rewards: Tensor
    first: Tensor
    last_value: Tensor
    last_first: Tensor


def advantages(rollout: Rollout, gamma: float, gae_lambda: float) -> Tensor:
    """Generalised advantage estimates (time, envs) (Schulman et al. 2016, equation 16), cut at episode ends."""
    next_values = torch.cat([rollout.values[1:], rollout.last_value[None]])
    going_on = 1 - torch.cat([rollout.first[1:], rollout.last_first[None]]).to(rollout.values.dtype)
    deltas = rollout.rewards + gamma * next_values * going_on - rollout.values
    result = torch.empty_like(deltas)
    running = torch.zeros_like(rollout.last_value)
    for t in reversed(range(len(deltas))):
        running = deltas[t] + gamma * gae_lambda * going_on[t] * running
        result[t] = running
    return result


@dataclass(frozen=True)
class Losses:
    """Sums over a slice of a minibatch (not means), so that slices add up."""

    policy: Tensor
    value: Tensor
    entropy: Tensor
    approx_kl: Tensor
    clip_fraction: Tensor


def losses(
    logits: Tensor,
    values: Tensor,
    actions: Tensor,
    old_log_probs: Tensor,
    old_values: Tensor,
    advantage: Tensor,
    returns: Tensor,
    clip: float,
) -> Losses:
    """Clipped surrogate (Schulman et al. 2017, equation 7) and clipped value loss, arrays (batch, ...).

    `approx_kl` is (r - 1) - log r (Schulman's blog, "Approximating KL divergence"), r the probability ratio.
    """
    all_log_probs = torch.log_softmax(logits, dim=-1)
    log_ratio = all_log_probs.gather(-1, actions[:, None]).squeeze(-1) - old_log_probs
    ratio = log_ratio.exp()
    policy = -torch.min(advantage * ratio, advantage * ratio.clamp(1 - clip, 1 + clip)).sum()
    clipped_values = old_values + (values - old_values).clamp(-clip, clip)
    value = 0.5 * torch.max((values - returns).square(), (clipped_values - returns).square()).sum()
    entropy = -(all_log_probs.exp() * all_log_probs).sum()
    with torch.no_grad():
        approx_kl = (ratio - 1 - log_ratio).sum()
        clip_fraction = ((ratio - 1).abs() > clip).float().sum()
    return Losses(policy, value, entropy, approx_kl, clip_fraction)


CLIPPED = 10.0
"""Normalised rewards are cut off here, on either side of 0."""


class RewardNormaliser:
    """Divides rewards by the standard deviation of the running discounted return, clipped to [-10, 10].

    The discount is PPO's own gamma. Mean and variance are updated batch by batch (Chan et al. 1979).
    """

    def __init__(self, num_envs: int, gamma: float) -> None:
        self.gamma = gamma
        self.returns: NDArray[np.float64] = np.zeros(num_envs)
        self.mean, self.variance, self.count = 0.0, 1.0, 1e-4

    def __call__(self, rewards: NDArray[np.float32], first: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Rewards (envs,) and whether the frame that came with them begins an episode (envs,)."""
        self.returns = self.returns * self.gamma + rewards
        mean, variance, count = self.returns.mean(), self.returns.var(), len(rewards)
        total = self.count + count
        delta = mean - self.mean
        spread = self.variance * self.count + variance * count + delta**2 * self.count * count / total
        self.mean, self.variance, self.count = self.mean + delta * count / total, spread / total, total
        self.returns[first] = 0
        scaled: NDArray[np.float32] = np.clip(rewards / np.sqrt(self.variance + 1e-8), -CLIPPED, CLIPPED).astype(
            np.float32
        )
        return scaled

    @property
    def scale(self) -> float:
        """What rewards are multiplied by at present, before they are clipped."""
        return float(1 / np.sqrt(self.variance + 1e-8))

    def factor(self, reward: float) -> float:
        """What a reward of this size is multiplied by at present, the clipping included."""
        return float(np.clip(reward / np.sqrt(self.variance + 1e-8), -CLIPPED, CLIPPED) / reward)


class Learner:
    """A network, its optimiser and the update that one rollout makes."""

    def __init__(self, network: ActorCritic, config: PPOConfig, computation: Computation) -> None:
        self.network = network
        self.config = config
        self.computation = computation
        self.forward = computation.function(network)
        self.optimiser = torch.optim.Adam(network.parameters(), lr=config.learning_rate, eps=config.adam_eps)

    def set_rate(self, learning_rate: float) -> None:
        """Give the optimiser another learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate

    @torch.no_grad()
    def act(self, frames: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Sampled actions, their log probabilities and the values, each (batch,)."""
        logits, values = self.forward(frames)
        log_probs = torch.log_softmax(logits, dim=-1)
        noise = torch.empty_like(log_probs).exponential_(generator=generator)
        actions = (log_probs - noise.log()).argmax(dim=-1)  # the exponential race: no check that waits for a GPU
        return actions, log_probs.gather(-1, actions[:, None]).squeeze(-1), values

    def update(self, rollout: Rollout, generator: torch.Generator, check: Check = unhindered) -> dict[str, float]:
        """Several epochs of minibatches over the rollout; returns the means of what `docs/metrics.md` explains.

        `check` is called before each slice of a minibatch.
        """
        config = self.config
        advantage = advantages(rollout, config.gamma, config.gae_lambda)
        returns = (advantage + rollout.values).flatten()
        advantage, frames = advantage.flatten(), rollout.frames.flatten(0, 1)
        actions, log_probs, old_values = (c.flatten() for c in (rollout.actions, rollout.log_probs, rollout.values))
        totals = {field.name: torch.zeros((), device=frames.device) for field in fields(Losses)}
        gradient_norm = torch.zeros((), device=frames.device)
        size = config.batch_size // config.minibatches
        slice_size = self.computation.slice_size or size
        for _ in range(config.epochs):
            order = torch.randperm(config.batch_size, generator=generator, device=frames.device)
            for minibatch in order.split(size):
                mean, std = advantage[minibatch].mean(), advantage[minibatch].std(correction=0)
                self.optimiser.zero_grad(set_to_none=True)
                for part in minibatch.split(slice_size):
                    check()
                    logits, values = self.forward(frames[part])
                    normalised = (advantage[part] - mean) / (std + 1e-8)
                    old = (actions[part], log_probs[part], old_values[part])
                    loss = losses(logits, values, *old, normalised, returns[part], config.clip)
                    total = loss.policy - config.entropy_coef * loss.entropy + config.value_coef * loss.value
                    (total / size).backward()
                    for name, value in totals.items():
                        value += getattr(loss, name).detach()
                gradient_norm += size * nn.utils.clip_grad_norm_(self.network.parameters(), config.max_grad_norm)
                self.optimiser.step()
        sums = torch.stack([*totals.values(), gradient_norm])
        means = (sums / (config.epochs * config.batch_size)).tolist()
        if not np.isfinite(means).all():
            raise TrainingError("The loss or its gradient is not finite: training stops, and its last state is intact.")
        names = ("policy_loss", "value_loss", "entropy", "approx_kl", "clip_fraction", "gradient_norm")
        unexplained = (returns - old_values).var() / returns.var().clamp_min(1e-12)
        return dict(zip(names, means, strict=True)) | {"explained_variance": 1 - unexplained.item()}
