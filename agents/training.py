"""A training from its beginning or its state to its agent.

Progress is reported to a callback (`agents.logging` has one for TensorBoard and the terminal).
"""

import time
from collections.abc import Callable
from pathlib import Path

from agents.checkpoint import Agent, save_agent
from agents.naming import AGENT
from agents.play import evaluate
from agents.recipe import TrainConfig
from agents.states import resume, save_state
from agents.trainer import Progress, Trainer


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
    end, where the agent is written to `folder/agent.safetensors`, before it is evaluated on its training levels and on
    unseen ones and after it. Milestones before the end are kept without evaluation. `report` is called after every
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
    save_agent(folder / AGENT, agent)
    evaluate_kept(agent, config, folder)
    return agent


def evaluate_kept(agent: Agent, config: TrainConfig, folder: Path) -> None:
    """Evaluate the agent that `folder` has, on its training levels and on unseen ones, and write it with the result."""
    if not config.evaluation_episodes:
        return
    for name, options in (("training", config.options), ("unseen", config.options.unseen())):
        agent.evaluation[name] = evaluate(
            agent, options, config.evaluation_episodes, config.seed + 1, config.env_threads
        )
    save_agent(folder / AGENT, agent)


def _parts_done(trainer: Trainer) -> int:
    """How many of the milestones' parts of the run are done."""
    return trainer.agent.steps * trainer.config.milestones // trainer.config.total_steps
