"""A training in its folder: how far it is, and carrying it on."""

from collections.abc import Callable
from pathlib import Path

from agents.checkpoint import Agent, load_agent
from agents.logging import TrainingLog
from agents.recipe import TrainConfig
from agents.states import steps_so_far
from agents.trainer import Progress
from agents.training import train
from rollouts.progress import Track, untracked


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
    """Train in the folder `run` with a log, from its state on; None where `stop` ended it."""
    done = steps_so_far(run)
    with TrainingLog(run, done) as log, track(name, config.total_steps, done) as update:

        def report(progress: Progress) -> None:
            log(progress)
            scalars = progress.scalars
            reward = scalars.get("episode_return", float("nan"))
            update(config.ppo.batch_size, f"{scalars['steps_per_second']:,.0f} steps/s, return {reward:.2f}")

        return train(config, run, report, stop, warn)
