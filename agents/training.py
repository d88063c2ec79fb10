"""The training loop: environments, rollouts, updates, checkpoints, resuming. It has no global state.

It needs torch, NumPy, procgen and safetensors only; progress is reported to a callback (`agents.logging` has one
for TensorBoard and the terminal).
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.checkpoint import (
    Agent,
    CheckpointError,
    load_tensors,
    load_weights,
    save_agent,
    save_tensors,
    untrained_agent,
)
from agents.networks import NETWORKS
from agents.play import evaluate
from agents.ppo import Learner, PPOConfig, RewardNormaliser, Rollout
from rollouts.coinrun import EnvOptions, make_env, observe, renderer_sha256
from rollouts.errors import InputError

STATE_FORMAT = "coinrun-training-2"
STATE, PREVIOUS = "state.safetensors", "state.previous.safetensors"
EPISODES_AVERAGED = 100


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, for how long, and how it is run.

    `precision` is `float32`, `bfloat16`, or `auto`: bfloat16 where the processor computes in it.
    `total_steps` counts environment steps and is rounded up to whole rollouts. A `deterministic` run refuses to go on
    with another number of threads or another torch, so that stopping it changes nothing.
    """

    network: str = "compact"
    options: EnvOptions = field(default_factory=EnvOptions)
    ppo: PPOConfig = field(default_factory=PPOConfig)
    seed: int = 0
    total_steps: int = 25_000_000
    precision: str = "auto"
    env_threads: int = 1
    checkpoint_minutes: float = 5
    evaluation_episodes: int = 512
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(f"There is no network '{self.network}'; there are {', '.join(NETWORKS)}.")
        if self.total_steps < 1:
            raise InputError(f"total_steps is {self.total_steps}; it must be at least 1.")
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise InputError(f"precision is '{self.precision}'; it can be 'auto', 'float32' or 'bfloat16'.")
        self.options.unseen()  # refuses levels that must stay unseen

    def fixed(self) -> dict[str, Any]:
        """What may not change when a run is resumed."""
        fixed = {
            "network": self.network,
            "options": asdict(self.options),
            "ppo": asdict(self.ppo),
            "seed": self.seed,
            "bfloat16": self.bfloat16,
        }
        if self.deterministic:
            fixed |= {"torch_threads": torch.get_num_threads(), "torch": torch.__version__}
        return fixed

    @property
    def bfloat16(self) -> bool:
        """Whether the network computes in bfloat16."""
        if self.precision == "auto":
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        return self.precision == "bfloat16"


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
        self.agent = untrained_agent(config.network, config.options, config.seed)
        self.agent.network.train()
        self.agent.training = {"ppo": asdict(ppo), "bfloat16": config.bfloat16, "torch": torch.__version__}
        self.learner = Learner(self.agent.network, ppo, config.bfloat16)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.env = make_env(ppo.num_envs, config.options, config.seed, config.env_threads)
        self.normaliser = RewardNormaliser(ppo.num_envs, ppo.gamma)
        self.episode_returns = np.zeros(ppo.num_envs)
        self.episode_lengths = np.zeros(ppo.num_envs, dtype=np.int64)
        self.recent: deque[tuple[float, int]] = deque(maxlen=EPISODES_AVERAGED)

    @property
    def finished(self) -> bool:
        return self.agent.steps >= self.config.total_steps

    def step(self) -> Progress:
        """One rollout and one update."""
        start = time.perf_counter()
        rollout = self._rollout()
        middle = time.perf_counter()
        scalars = self.learner.update(rollout, self.generator)
        end = time.perf_counter()
        self.agent.steps += self.config.ppo.batch_size
        if self.recent:
            returns, lengths = np.array(self.recent).T
            scalars |= {"episode_return": float(returns.mean()), "episode_length": float(lengths.mean())}
            self.agent.curve.append((self.agent.steps, round(float(returns.mean()), 4)))
        scalars |= {
            "steps_per_second": self.config.ppo.batch_size / (end - start),
            "rollout_seconds": middle - start,
            "update_seconds": end - middle,
            "reward_scale": float(1 / np.sqrt(self.normaliser.variance + 1e-8)),
        }
        return Progress(self.agent.steps, self.config.total_steps, scalars)

    def _rollout(self) -> Rollout:
        ppo = self.config.ppo
        shape = (ppo.rollout_steps, ppo.num_envs)
        frames = torch.empty((*shape, 64, 64, 3), dtype=torch.uint8)
        rewards, first = np.empty(shape, dtype=np.float32), np.empty(shape, dtype=bool)
        actions = torch.empty(shape, dtype=torch.int64)
        log_probs, values = torch.empty(shape), torch.empty(shape)
        procgen_actions = np.asarray(self.agent.actions, dtype=np.int32)
        _, observation, first_now = observe(self.env)
        for t in range(ppo.rollout_steps):
            frames[t] = torch.from_numpy(observation)
            first[t] = first_now
            actions[t], log_probs[t], values[t] = self.learner.act(frames[t], self.generator)
            self.env.act(procgen_actions[actions[t].numpy()])
            reward, observation, first_now = observe(self.env)
            rewards[t] = self.normaliser(reward, first_now)
            self.episode_returns += reward
            self.episode_lengths += 1
            for index in np.flatnonzero(first_now):
                self.recent.append((float(self.episode_returns[index]), int(self.episode_lengths[index])))
            self.episode_returns[first_now] = 0
            self.episode_lengths[first_now] = 0
        with torch.no_grad():
            _, last_value = self.learner.forward(torch.from_numpy(observation))
        return Rollout(
            frames, actions, log_probs, values, torch.from_numpy(rewards), torch.from_numpy(first),
            last_value, torch.from_numpy(first_now),
        )  # fmt: skip

    def save(self, path: Path) -> None:
        """Write everything that the rest of the run depends on, atomically."""
        tensors = {f"network.{name}": value for name, value in self.agent.network.state_dict().items()}
        names = [name for name, _ in self.agent.network.named_parameters()]
        for index, moments in self.learner.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{names[index]}.{key}": torch.as_tensor(value) for key, value in moments.items()}
        tensors["generator"] = self.generator.get_state()
        tensors["normaliser.returns"] = torch.from_numpy(self.normaliser.returns.copy())
        tensors["episode_returns"] = torch.from_numpy(self.episode_returns.copy())
        tensors["episode_lengths"] = torch.from_numpy(self.episode_lengths.copy())
        for index, state in enumerate(self.env.callmethod("get_state")):
            tensors[f"env.{index:05d}"] = torch.frombuffer(bytearray(state), dtype=torch.uint8)
        normaliser = self.normaliser
        save_tensors(
            path,
            tensors,
            {
                "format": STATE_FORMAT,
                "fixed": self.config.fixed(),
                "renderer": renderer_sha256(),
                "steps": self.agent.steps,
                "curve": self.agent.curve,
                "recent": list(self.recent),
                "normaliser": [normaliser.mean, normaliser.variance, normaliser.count],
            },
        )

    def load(self, path: Path) -> None:
        """Continue where `save` stood. All is read and checked before anything is changed.

        Raises `CheckpointError` for a damaged file, a run with other settings, or another build of the renderer.
        """
        tensors, metadata = load_tensors(path)
        if metadata.get("format") != STATE_FORMAT:
            raise CheckpointError(f"{path} holds '{metadata.get('format')}', not a training state ('{STATE_FORMAT}').")
        fixed = self.config.fixed()
        for key, value in fixed.items():
            if metadata["fixed"].get(key) != value:
                raise CheckpointError(
                    f"{path} was trained with {key} = {metadata['fixed'].get(key)}; it cannot go on with {value}."
                )
        if metadata["renderer"] != renderer_sha256():
            raise CheckpointError(
                f"{path} was trained on frames of renderer {metadata['renderer'][:12]}; "
                f"this one is {renderer_sha256()[:12]}."
            )
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
        self.generator.set_state(tensors["generator"])
        states = [tensors[f"env.{index:05d}"].numpy().tobytes() for index in range(self.config.ppo.num_envs)]
        self.env.callmethod("set_state", states)
        self.normaliser.returns = tensors["normaliser.returns"].numpy().copy()
        self.normaliser.mean, self.normaliser.variance, self.normaliser.count = metadata["normaliser"]
        self.episode_returns = tensors["episode_returns"].numpy().copy()
        self.episode_lengths = tensors["episode_lengths"].numpy().copy()
        self.recent.extend((float(value), int(length)) for value, length in metadata["recent"])
        self.agent.steps = metadata["steps"]
        self.agent.curve = [(int(steps), float(value)) for steps, value in metadata["curve"]]


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
    `folder/agent.safetensors`. `report` is called after every update, `warn` with a sentence when the last state could
    not be read and the one before it is used. Raises `TrainingError` when the gradient is not finite.
    """
    trainer = Trainer(config)
    resume(trainer, folder, warn)
    saved = time.monotonic()
    while not trainer.finished:
        report(trainer.step())
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
            found = evaluate(agent, options, config.evaluation_episodes, config.seed + 1, config.env_threads)
            agent.evaluation[name] = found.to_json()
    save_agent(folder / "agent.safetensors", agent)
    return agent
