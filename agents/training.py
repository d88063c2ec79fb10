"""The training loop: environments, rollouts, updates, checkpoints, resuming. It has no global state.

It needs torch, NumPy, procgen and safetensors only; progress is reported to a callback (`agents.logging` has one
for TensorBoard and the terminal).
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.checkpoint import (
    Agent,
    CheckpointError,
    load_tensors,
    load_weights,
    save_agent,
    save_tensors,
    untrained_agent,
)
from agents.computation import Computation, frame_flops
from agents.distillation import DistillationConfig, Distiller
from agents.networks import NETWORKS
from agents.play import evaluate
from agents.ppo import Learner, PPOConfig, RewardNormaliser, Rollout
from rollouts.env import PROCGEN_ACTIONS, EnvOptions, make_env, observe, renderer_sha256
from rollouts.errors import InputError

STATE_FORMAT = "coinrun-training-3"
STATE, PREVIOUS = "state.safetensors", "state.previous.safetensors"
EPISODES_AVERAGED = 100
ACTION_SETS = ("all", "distinct")
UNWRITTEN = {"actions": "all"}
"""What a state of an earlier version was trained with, where it does not say."""


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, for how long, and how it is run.

    `actions` is `all` of procgen's, or those that are `distinct` in the game.
    In the first `distillation.steps` of them a teacher is imitated, PPO follows with the same weights and optimiser.
    `total_steps` counts environment steps and is rounded up to whole rollouts; the agent is also kept at the end of
    each of `milestones` equal parts of them (0: only at the end). A `deterministic` run refuses to go on
    with another computation, number of threads or torch, so that stopping it changes nothing; it needs a CPU, since
    on a GPU the environments are not saved and begin new episodes. Raises `InputError` for settings that cannot be.
    """

    network: str = "compact"
    options: EnvOptions = field(default_factory=EnvOptions)
    actions: str = "all"
    ppo: PPOConfig = field(default_factory=PPOConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    seed: int = 0
    total_steps: int = 25_000_000
    computation: Computation = field(default_factory=Computation)
    env_threads: int = 1
    checkpoint_minutes: float = 5
    evaluation_episodes: int = 512
    milestones: int = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(f"There is no network '{self.network}'; there are {', '.join(NETWORKS)}.")
        if self.actions not in ACTION_SETS:
            raise InputError(f"actions is '{self.actions}'; it can be {' or '.join(ACTION_SETS)}.")
        if self.total_steps < 1:
            raise InputError(f"total_steps is {self.total_steps}; it must be at least 1.")
        if self.milestones < 0:
            raise InputError(f"milestones is {self.milestones}; it must be at least 0.")
        if self.ppo.num_envs % self.computation.halves:
            raise InputError(f"{self.ppo.num_envs} environments do not divide into {self.computation.halves} halves.")
        if self.distillation.steps and self.ppo.batch_size % self.distillation.minibatch:
            raise InputError(
                f"{self.ppo.num_envs} environments x {self.ppo.rollout_steps} steps do not divide into minibatches of "
                f"{self.distillation.minibatch} (distillation.minibatch)."
            )
        if self.deterministic and not self.saves_environments:
            raise InputError("A deterministic run needs the CPU: a GPU's run begins new episodes when it goes on.")
        self.options.unseen()  # refuses levels that must stay unseen

    def fixed(self) -> dict[str, Any]:
        """What may not change when a run is resumed."""
        return {
            "network": self.network,
            "options": asdict(self.options),
            "actions": self.actions,
            "ppo": asdict(self.ppo),
            "seed": self.seed,
            "bfloat16": self.computation.bfloat16,
        }

    def circumstances(self) -> dict[str, Any]:
        """What may not change either when a deterministic run is resumed."""
        threads, version = torch.get_num_threads(), torch.__version__
        return {"computation": asdict(self.computation), "torch_threads": threads, "torch": version}

    def imitated(self, steps: int) -> int:
        """How many of the first `steps` environment steps imitate the teacher, in whole rollouts."""
        batch = self.ppo.batch_size
        return min(steps, -(-self.distillation.steps // batch) * batch)

    @property
    def action_set(self) -> tuple[int, ...]:
        """Procgen's actions that the logits stand for."""
        return PROCGEN_ACTIONS if self.actions == "all" else self.options.rules.actions

    @property
    def saves_environments(self) -> bool:
        """Whether the state holds the environments: thousands of them on a GPU would make it large."""
        return self.computation.device == "cpu"


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
        self._begin_episodes()

    def _begin_episodes(self) -> None:
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

    def step(self) -> Progress:
        """One rollout and one update, by the teacher while its part of the training lasts."""
        ppo, training = self.config.ppo, self.agent.training
        distiller = self.distiller if self.distilling else None
        base = ppo.learning_rate if distiller is None else self.config.distillation.learning_rate
        self.learner.set_rate(base * ppo.decay(self.agent.steps))
        start = time.perf_counter()
        rollout = self._rollout()
        middle = time.perf_counter()
        if distiller is None:
            scalars = self.learner.update(rollout, self.generator)
        else:
            scale, begin = self.normaliser.factor(self.config.options.rules.completed_return), self.agent.steps == 0
            scalars = distiller.update(rollout.frames, scale, self.generator, begin)
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
            scalars |= {"episode_return": float(returns.mean()), "episode_length": float(lengths.mean())}
            self.agent.curve.append((self.agent.steps, round(float(returns.mean()), 4)))
        scalars |= {
            "steps_per_second": ppo.batch_size / (end - start),
            "rollout_seconds": middle - start,
            "update_seconds": end - middle,
            "reward_scale": float(1 / np.sqrt(self.normaliser.variance + 1e-8)),
        }
        return Progress(self.agent.steps, self.config.total_steps, scalars)

    def _rollout(self) -> Rollout:
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

    def save(self, path: Path) -> None:
        """Write everything that the rest of the run depends on, atomically; on a GPU all but the environments."""
        tensors = {f"network.{name}": value for name, value in self.agent.network.state_dict().items()}
        names = [name for name, _ in self.agent.network.named_parameters()]
        for index, moments in self.learner.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{names[index]}.{key}": torch.as_tensor(value) for key, value in moments.items()}
        if self.config.saves_environments:
            tensors["generator"] = self.generator.get_state()
            tensors["normaliser.returns"] = torch.from_numpy(self.normaliser.returns.copy())
            tensors["episode_returns"] = torch.from_numpy(self.episode_returns.copy())
            tensors["episode_lengths"] = torch.from_numpy(self.episode_lengths.copy())
            states = [state for env in self.envs for state in env.callmethod("get_state")]
            for index, state in enumerate(states):
                tensors[f"env.{index:05d}"] = torch.frombuffer(bytearray(state), dtype=torch.uint8)
        normaliser = self.normaliser
        save_tensors(
            path,
            tensors,
            {
                "format": STATE_FORMAT,
                "fixed": self.config.fixed(),
                "circumstances": self.config.circumstances(),
                "environments": self.config.saves_environments,
                "renderer": renderer_sha256(),
                "steps": self.agent.steps,
                "flops": self.agent.training["flops"],
                "distillation": self.agent.training.get("distillation"),
                "curve": self.agent.curve,
                "recent": list(self.recent),
                "normaliser": [normaliser.mean, normaliser.variance, normaliser.count],
            },
        )

    def load(self, path: Path) -> None:
        """Continue where `save` stood. All is read and checked before anything is changed.

        A state that was written on a GPU, or is read on one, goes on with new episodes. Raises `CheckpointError` for
        a damaged file, a run with other settings, or another build of the renderer.
        """
        tensors, metadata = load_tensors(path)
        if metadata.get("format") != STATE_FORMAT:
            raise CheckpointError(f"{path} holds '{metadata.get('format')}', not a training state ('{STATE_FORMAT}').")
        was, now = metadata["fixed"], self.config.fixed()
        was |= {"options": asdict(EnvOptions(**was["options"])), "ppo": asdict(PPOConfig(**was["ppo"]))}
        if self.config.deterministic:
            was, now = was | metadata["circumstances"], now | self.config.circumstances()
        for key, value in now.items():
            before = was.get(key, UNWRITTEN.get(key))
            if before != value:
                raise CheckpointError(f"{path} was trained with {key} = {before}; it cannot go on with {value}.")
        if metadata["renderer"] != renderer_sha256():
            raise CheckpointError(
                f"{path} was trained on frames of renderer {metadata['renderer'][:12]}; "
                f"this one is {renderer_sha256()[:12]}."
            )
        steps, distilled = metadata["steps"], metadata.get("distillation")
        self._check_distillation(path, steps, distilled)
        network = {name[8:]: value for name, value in tensors.items() if name.startswith("network.")}
        load_weights(self.agent.network, network, path)
        names = [name for name, _ in self.agent.network.named_parameters()]
        keys = ("step", "exp_avg", "exp_avg_sq")
        optimiser = self.learner.optimiser.state_dict()
        optimiser["state"] = {
            index: {key: tensors[f"adam.{name}.{key}"] for key in keys}
            for index, name in enumerate(names)
            if f"adam.{name}.step" in tensors
        }
        self.learner.optimiser.load_state_dict(optimiser)
        self.agent.steps = steps
        acting, learning = self.flops
        self.agent.training["flops"] = metadata.get("flops", steps * (acting + self.config.ppo.epochs * learning))
        if distilled:
            self.agent.training["distillation"] = distilled
        if self.config.saves_environments and metadata["environments"]:
            self.generator.set_state(tensors["generator"])
            states = [tensors[f"env.{index:05d}"].numpy().tobytes() for index in range(self.config.ppo.num_envs)]
            for env, part in zip(self.envs, self.parts, strict=True):
                env.callmethod("set_state", states[part])
            self.normaliser.returns = tensors["normaliser.returns"].numpy().copy()
            self.episode_returns = tensors["episode_returns"].numpy().copy()
            self.episode_lengths = tensors["episode_lengths"].numpy().copy()
        else:
            self._begin_episodes()
        self.normaliser.mean, self.normaliser.variance, self.normaliser.count = metadata["normaliser"]
        self.recent.extend((float(value), int(length)) for value, length in metadata["recent"])
        self.agent.curve = [(int(steps), float(value)) for steps, value in metadata["curve"]]

    def _check_distillation(self, path: Path, steps: int, was: dict[str, Any] | None) -> None:
        """Refuse a state after `steps` steps whose part under a teacher, as `Distiller.record` has it, was another."""
        config = self.config.distillation
        done, asked = 0 if was is None else was["steps"], self.config.imitated(steps)
        if done != asked:
            raise CheckpointError(
                f"{path} imitated a teacher in {done:,} of its {steps:,} steps; with distillation.steps = "
                f"{config.steps:,} it would be {asked:,}."
            )
        if was is None:
            return
        for key in ("epochs", "minibatch", "learning_rate"):
            if was[key] != getattr(config, key):
                raise CheckpointError(
                    f"{path} was trained with distillation.{key} = {was[key]}; it cannot go on with "
                    f"{getattr(config, key)}."
                )
        if steps < config.steps and self.distiller.fingerprint != was["teacher"]:
            raise CheckpointError(
                f"{path} imitated the teacher {was['teacher'][:12]}; {config.teacher} is "
                f"{self.distiller.fingerprint[:12]}."
            )


def resume(trainer: Trainer, folder: Path, warn: Callable[[str], None]) -> None:
    """Continue from the state in `folder`, or from the previous one where that is damaged; nothing without any.

    Raises `CheckpointError` when the state belongs to a run with other settings, or neither can be read.
    """
    state, previous = folder / STATE, folder / PREVIOUS
    if not state.exists() and not previous.exists():
        return
    try:
        load_tensors(state)
    except CheckpointError as error:
        if not previous.exists():
            raise
        warn(f"{error} Going on from {previous}.")
        state = previous
    trainer.load(state)


def save_state(trainer: Trainer, folder: Path) -> None:
    """Write the state and keep the one before it; at any moment at least one of the two is whole."""
    state = folder / STATE
    new = folder / "state.new.safetensors"
    trainer.save(new)
    if state.exists():
        state.replace(folder / PREVIOUS)
    new.replace(state)


def lighten(source: Path, target: Path) -> None:
    """Write a third of a state: what may be kept of a begun training where space is dear.

    The environments are left out, so a training goes on from it with new episodes, and Adam's moments are rounded to
    bfloat16 (three digits of what scales each weight's step). Raises `CheckpointError` where `source` is no state.
    """
    tensors, metadata = load_tensors(source)
    if metadata.get("format") != STATE_FORMAT:
        raise CheckpointError(f"{source} holds '{metadata.get('format')}', not a training state ('{STATE_FORMAT}').")
    moments = ("exp_avg", "exp_avg_sq")
    light = {
        name: tensor.to(torch.bfloat16) if name.endswith(moments) else tensor
        for name, tensor in tensors.items()
        if name.startswith(("network.", "adam."))
    }
    save_tensors(target, light, metadata | {"environments": False})


def milestone_path(folder: Path, part: int, parts: int) -> Path:
    """Where the agent is kept at the end of part `part` of `parts`."""
    return folder / f"agent-{part}of{parts}.safetensors"


def train(
    config: TrainConfig,
    folder: Path,
    report: Callable[[Progress], None] = lambda progress: None,
    stop: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Agent | None:
    """Train to `total_steps` in `folder`, going on from the state there.

    Writes the state every `checkpoint_minutes`, when `stop` says so after an update (then returns None) and at the
    end, where the agent is evaluated on its training levels and on unseen ones and written to
    `folder/agent.safetensors`. Milestones before the end are kept without evaluation. `report` is called after every
    update, `warn` with a sentence when the last state could not be read and the one before it is used. Raises
    `TrainingError` when the gradient is not finite.
    """
    trainer = Trainer(config)
    resume(trainer, folder, warn)
    saved = time.monotonic()
    while not trainer.finished:
        passed = _parts_done(trainer)
        report(trainer.step())
        if passed < _parts_done(trainer) < config.milestones:
            save_agent(milestone_path(folder, _parts_done(trainer), config.milestones), trainer.agent)
        stopping = stop()
        if stopping or trainer.finished or time.monotonic() - saved > 60 * config.checkpoint_minutes:
            save_state(trainer, folder)
            saved = time.monotonic()
        if stopping and not trainer.finished:
            return None
    agent = trainer.agent
    agent.network.eval()
    if config.evaluation_episodes:
        for name, options in (("training", config.options), ("unseen", config.options.unseen())):
            agent.evaluation[name] = evaluate(
                agent, options, config.evaluation_episodes, config.seed + 1, config.env_threads
            )
    save_agent(folder / "agent.safetensors", agent)
    return agent


def _parts_done(trainer: Trainer) -> int:
    """How many of the milestones' parts of the run are done."""
    return trainer.agent.steps * trainer.config.milestones // trainer.config.total_steps
