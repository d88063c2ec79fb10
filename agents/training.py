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
from agents.states import resume, save_state, snapshot
from agents.trainer import Progress, Trainer
from rollouts.progress import Check


class Interrupted(Exception):
    """The training was asked to stop in the midst of a step, or of an evaluation."""


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

    Writes the state every `checkpoint_minutes`, when `stop` says so (then returns None) and at the end, where the agent
    is written to `folder/agent.safetensors`, before it is evaluated on its training levels and on unseen ones and after
    it. `stop` is asked all the time, since an update can take longer than a cluster waits: what is under way is given
    up, and the state is that of the last whole update. Milestones before the end are kept without evaluation. `report`
    is called after every update, `warn` with a sentence when the last state could not be read and the one before it is
    used. Raises `TrainingError` when the gradient is not finite.
    """

    check = stopping(stop)
    trainer = Trainer(config)
    resume(trainer, folder, warn)
    state, saved = snapshot(trainer), time.monotonic()
    try:
        while not trainer.finished:
            passed = _parts_done(trainer)
            report(trainer.step(check))
            state = snapshot(trainer)
            if passed < _parts_done(trainer) < config.milestones:
                save_agent(milestone_path(folder, _parts_done(trainer), config.milestones), trainer.agent)
            if trainer.finished or time.monotonic() - saved > 60 * config.checkpoint_minutes:
                save_state(state, folder)
                saved = time.monotonic()
    except Interrupted:
        save_state(state, folder)
        return None
    trainer.agent.network.eval()
    save_agent(folder / AGENT, trainer.agent)
    return evaluate_kept(trainer.agent, config, folder, stop)


def evaluate_kept(agent: Agent, config: TrainConfig, folder: Path, stop: Callable[[], bool]) -> Agent | None:
    """Evaluate the agent that `folder` has, on its training levels and on unseen ones, and write it with the result.

    Returns the agent; None where `stop`, which is asked after every step, ended the evaluation.
    """
    if not config.evaluation_episodes:
        return agent
    check = stopping(stop)
    found = {}
    try:
        for name, options in (("training", config.options), ("unseen", config.options.unseen())):
            found[name] = evaluate(
                agent,
                options,
                config.evaluation_episodes,
                config.seed + 1,
                config.env_threads,
                lambda more, note="": check(),
            )
    except Interrupted:
        return None
    agent.evaluation |= found
    save_agent(folder / AGENT, agent)
    return agent


def stopping(stop: Callable[[], bool]) -> Check:
    """A check that raises `Interrupted` when `stop` says so."""

    def check() -> None:
        if stop():
            raise Interrupted

    return check


def _parts_done(trainer: Trainer) -> int:
    """How many of the milestones' parts of the run are done."""
    return trainer.agent.steps * trainer.config.milestones // trainer.config.total_steps
