"""A training in its folder: how far it is, and carrying it on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agents.checkpoint import Agent, CheckpointError, load_agent, load_tensors
from agents.logging import TrainingLog
from agents.training import PREVIOUS, STATE, Progress, TrainConfig, train
from rollouts.progress import Track, untracked


def latest(run: Path) -> dict[str, Any] | None:
    """What is written beside the tensors of the state that training will go on from, None without one."""
    for name in (STATE, PREVIOUS):
        try:
            metadata = load_tensors(run / name)[1]
        except CheckpointError:
            continue
        if {"fixed", "steps"} <= metadata.keys():
            return metadata
    return None


def steps_so_far(run: Path) -> int:
    """Steps of the state that training will go on from, 0 without one."""
    state = latest(run)
    return 0 if state is None else int(state["steps"])


def finished(path: Path, total_steps: int) -> bool:
    """Whether the run's agent exists and was trained for long enough."""
    return path.exists() and load_agent(path).steps >= total_steps


def carry_on(
    config: TrainConfig,
    run: Path,
    name: str = "Training",
    track: Track = untracked,
    stop: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Agent | None:
    """Train in the folder `run` with a log, from its state on; None where `stop` ended it after an update."""
    done = steps_so_far(run)
    with TrainingLog(run, done) as log, track(name, config.total_steps, done) as update:

        def report(progress: Progress) -> None:
            log(progress)
            scalars = progress.scalars
            reward = scalars.get("episode_return", float("nan"))
            update(config.ppo.batch_size, f"{scalars['steps_per_second']:,.0f} steps/s, return {reward:.2f}")

        return train(config, run, report, stop, warn)
