"""One training in memory: environments, rollouts, updates. It has no global state.

It needs torch, NumPy, procgen, safetensors and pydantic only.
"""

import time
from collections import deque
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.checkpoint import untrained_agent
from agents.computation import frame_flops
from agents.distillation import Distiller
from agents.ppo import Learner, RewardNormaliser, Rollout
from agents.recipe import TrainConfig
from rollouts.env import make_env, observe
from rollouts.progress import Check, unhindered

EPISODES_AVERAGED = 100


@dataclass(frozen=True)
class Progress:
    """What the callback is told after every update; `scalars` are explained in `docs/metrics.md`."""

    steps: int
    total_steps: int
    scalars: dict[str, float]


class Trainer:
    """One training run, held in memory; `save` and `load` make it survive its process."""

    def __init__(self, config: TrainConfig) -> None:
        self.config = config
        ppo = config.ppo
        self.agent = untrained_agent(config.network, config.options, config.seed, config.action_set)
        self.agent.network.train()
        self.agent.training = {"ppo": asdict(ppo), **config.circumstances(), "flops": 0}
        self.learner = Learner(self.agent.network, ppo, config.computation)
        device, halves = config.computation.device, config.computation.halves
        size = ppo.num_envs // halves
        self.parts = [slice(start, start + size) for start in range(0, ppo.num_envs, size)]
        self.frames = torch.empty((ppo.rollout_steps, ppo.num_envs, 64, 64, 3), dtype=torch.uint8, device=device)
        self.staging = [
            torch.empty((size, 64, 64, 3), dtype=torch.uint8, pin_memory=device == "cuda") for _ in self.parts
        ]
        self.normaliser = RewardNormaliser(ppo.num_envs, ppo.gamma)
        self.recent: deque[tuple[float, int]] = deque(maxlen=EPISODES_AVERAGED)
        self.begin_episodes()

    def begin_episodes(self) -> None:
        """Make environments and random numbers that belong to this run at this step, and begin an episode in each."""
        config, num = self.config, self.config.ppo.num_envs
        at = (config.seed, self.agent.steps)
        seeds = np.random.SeedSequence(at).generate_state(1 + len(self.parts)) >> 1  # procgen's seeds have 31 bits
        self.generator = torch.Generator(config.computation.device).manual_seed(int(seeds[0]))
        self.envs = [
            make_env(part.stop - part.start, config.options, int(seed), config.env_threads)
            for part, seed in zip(self.parts, seeds[1:], strict=True)
        ]
        self.normaliser.returns = np.zeros(num)
        self.episode_returns = np.zeros(num)
        self.episode_lengths = np.zeros(num, dtype=np.int64)

    @cached_property
    def flops(self) -> tuple[int, int]:
        """Floating-point operations of a frame's forward pass, and of a forward and a backward one."""
        return frame_flops(self.agent.network)

    @cached_property
    def distiller(self) -> Distiller:
        """Read when it is first needed: the teacher's file may be gone when its part of the training is over."""
        return Distiller(self.config.distillation, self.learner, self.config.options, self.agent.actions)

    @property
    def distilling(self) -> bool:
        """Whether the next update imitates the teacher."""
        return self.agent.steps < self.config.distillation.steps

    @property
    def finished(self) -> bool:
        return self.agent.steps >= self.config.total_steps

    def step(self, check: Check = unhindered) -> Progress:
        """One rollout and one update, by the teacher while its part of the training lasts.

        `check` is called all the time; where it raises, the trainer is in no state that could be gone on from.
        """
        ppo, training = self.config.ppo, self.agent.training
        distiller = self.distiller if self.distilling else None
        base = ppo.learning_rate if distiller is None else self.config.distillation.learning_rate
        self.learner.set_rate(base * ppo.decay(self.agent.steps))
        start = time.perf_counter()
        rollout = self._rollout(check)
        middle = time.perf_counter()
        if distiller is None:
            scalars = self.learner.update(rollout, self.generator, check)
        else:
            scale, begin = self.normaliser.factor(self.config.options.rules.completed_return), self.agent.steps == 0
            scalars = distiller.update(rollout.frames, scale, self.generator, begin, check)
        end = time.perf_counter()
        self.agent.steps += ppo.batch_size
        acting, learning = self.flops
        if distiller is None:
            training["flops"] += ppo.batch_size * (acting + ppo.epochs * learning)
        else:
            epochs = self.config.distillation.epochs
            training["flops"] += ppo.batch_size * (acting + distiller.flops + epochs * learning)
            training["distillation"] = distiller.record(self.agent.steps)
        if self.recent:
            returns, lengths = np.array(self.recent).T
            rules = self.config.options.rules
            cut = (lengths >= rules.most_steps) & (returns < rules.completed_return)
            scalars |= {
                "episode_return": float(returns.mean()),
                "episode_length": float(lengths.mean()),
                "cut_episodes": float(cut.mean()),
            }
            self.agent.curve.append((self.agent.steps, round(float(returns.mean()), 4)))
        scalars |= {
            "steps_per_second": ppo.batch_size / (end - start),
            "rollout_seconds": middle - start,
            "update_seconds": end - middle,
            "reward_scale": self.normaliser.scale,
        }
        training["reward_scale"] = self.normaliser.scale
        return Progress(self.agent.steps, self.config.total_steps, scalars)

    def _rollout(self, check: Check = unhindered) -> Rollout:
        """Play every part of the environments in turn: while one is in the network, the others are being stepped."""
        ppo, device = self.config.ppo, self.config.computation.device
        shape = (ppo.rollout_steps, ppo.num_envs)
        rewards = np.empty(shape, dtype=np.float32)
        first = np.empty((ppo.rollout_steps + 1, ppo.num_envs), dtype=bool)
        actions = torch.empty(shape, dtype=torch.int64, device=device)
        log_probs, values = torch.empty(shape, device=device), torch.empty(shape, device=device)
        last_value = torch.empty(ppo.num_envs, device=device)
        procgen_actions = np.asarray(self.agent.actions, dtype=np.int32)
        for t in range(ppo.rollout_steps):
            check()
            for env, part, staging in zip(self.envs, self.parts, self.staging, strict=True):
                reward, observation, first[t, part] = observe(env, copy=False)
                if t > 0:
                    rewards[t - 1, part] = reward
                frames = self._upload(observation, staging, self.frames[t, part])
                chosen, log_probs[t, part], values[t, part] = self.learner.act(frames, self.generator)
                actions[t, part] = chosen
                env.act(procgen_actions[chosen.cpu().numpy()])
        for env, part, staging in zip(self.envs, self.parts, self.staging, strict=True):
            rewards[-1, part], observation, first[-1, part] = observe(env, copy=False)
            frames = self._upload(observation, staging, torch.empty_like(staging, device=device))
            with torch.no_grad():
                last_value[part] = self.learner.forward(frames)[1]
        scaled = np.stack([self._account(rewards[t], first[t + 1]) for t in range(ppo.rollout_steps)])
        ended = torch.from_numpy(first).to(device)
        return Rollout(
            self.frames,
            actions,
            log_probs,
            values,
            torch.from_numpy(scaled).to(device),
            ended[:-1],
            last_value,
            ended[-1],
        )

    @staticmethod
    def _upload(observation: NDArray[np.uint8], staging: Tensor, target: Tensor) -> Tensor:
        """Copy frames that the environment will overwrite to `target`, through page-locked memory for a GPU."""
        source = torch.from_numpy(observation)
        if target.device.type == "cpu":
            return target.copy_(source)
        return target.copy_(staging.copy_(source), non_blocking=True)

    def _account(self, reward: NDArray[np.float32], first: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Keep the books of one time step of all environments; returns the rewards normalised."""
        self.episode_returns += reward
        self.episode_lengths += 1
        for index in np.flatnonzero(first):
            self.recent.append((float(self.episode_returns[index]), int(self.episode_lengths[index])))
        self.episode_returns[first] = 0
        self.episode_lengths[first] = 0
        return self.normaliser(reward, first)
