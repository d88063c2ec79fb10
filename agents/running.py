"""A training in its folder: how far it is, and carrying it on."""

from collections.abc import Callable
from pathlib import Path

from agents.checkpoint import Agent, load_agent
from agents.logging import TrainingLog
from agents.naming import AGENT
from agents.recipe import TrainConfig
from agents.states import steps_so_far
from agents.trainer import Progress
from agents.training import evaluate_kept, train
from rollouts.progress import Track, untracked


def trained(run: Path, config: TrainConfig) -> Agent | None:
    """The run's agent, None where there is none or it was not trained for long enough."""
    path = run / AGENT
    agent = load_agent(path) if path.exists() else None
    return None if agent is None or agent.steps < config.total_steps else agent


def finished(run: Path, config: TrainConfig) -> bool:
    """Whether the run's agent was trained for long enough, and evaluated where that is asked for."""
    agent = trained(run, config)
    return agent is not None and bool(agent.evaluation or not config.evaluation_episodes)


def carry_on(
    config: TrainConfig,
    run: Path,
    name: str = "Training",
    track: Track = untracked,
    stop: Callable[[], bool] = lambda: False,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Agent | None:
    """Train in the folder `run` with a log, from its state on; None where `stop` ended it.

    Of an agent that was trained before and not evaluated, only the evaluation is done.
    """
    if (agent := trained(run, config)) is not None:
        return evaluate_kept(agent, config, run, stop)
    done = steps_so_far(run)
    with TrainingLog(run, done) as log, track(name, config.total_steps, done) as update:

        def report(progress: Progress) -> None:
            log(progress)
            scalars = progress.scalars
            reward = scalars.get("episode_return", float("nan"))
            update(config.ppo.batch_size, f"{scalars['steps_per_second']:,.0f} steps/s, return {reward:.2f}")

        return train(config, run, report, stop, warn)
