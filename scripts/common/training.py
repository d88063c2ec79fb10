"""A training as commands carry it out: stopped by signals, its progress on the console."""

import signal
from pathlib import Path

from agents.checkpoint import Agent
from agents.recipe import TrainConfig
from agents.running import carry_on
from agents.states import STATE
from common.progress import CONSOLE, track
from common.stopping import Stopped, stoppable
from scoring.draw.layouts import on_unseen_levels
from scoring.draw.words import percent


def train_stoppable(config: TrainConfig, run: Path, name: str = "Training") -> Agent:
    """Train in the folder `run`.

    A signal that asks to stop ends it with `Stopped`; one that comes while the agent is being written is passed on.
    """
    with stoppable() as signals:
        agent = carry_on(config, run, name, track, lambda: bool(signals), CONSOLE.print)
    if agent is None:
        raise Stopped(f"Stopped; the same command goes on from {run / STATE}.")
    if signals:
        signal.raise_signal(signals[0])
    return agent


def print_evaluation(agent: Agent) -> None:
    """How many levels the agent completed, training and unseen."""
    for levels, evaluation in agent.evaluation.items():
        low, high = evaluation.interval
        CONSOLE.print(
            f"  {levels} levels: {percent(evaluation.completed)} of {evaluation.episodes} completed "
            f"(95 % interval {low:.1%} to {high:.1%}), mean return {evaluation.mean_return:.2f}"
        )
    if "unseen" in agent.evaluation and (note := on_unseen_levels([agent.options])):
        CONSOLE.print(f"  {note}")
