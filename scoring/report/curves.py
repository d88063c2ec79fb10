"""Learning curves of agents, from what their checkpoints remember."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from agents.checkpoint import Agent, load_agent
from agents.naming import AGENT
from rollouts.errors import InputError
from scoring.draw.charts import COLOURS, MARKERS, STYLES, save


def group(path: Path) -> str:
    """The run's name without its seed: runs that differ in nothing else belong together."""
    name = path.parent.name if path.name == AGENT else path.stem
    return re.sub(r"-s\d+(?=-|$)", "", name)


def grouped(paths: Sequence[Path]) -> dict[str, list[Agent]]:
    """The agents of checkpoints by `group`; raises `InputError` for one without a learning curve, and for none."""
    groups: dict[str, list[Agent]] = {}
    for path in paths:
        agent = load_agent(path)
        if not agent.curve:
            raise InputError(f"{path} remembers no learning curve.")
        groups.setdefault(group(path), []).append(agent)
    if not groups:
        raise InputError("agents is an empty list.")
    return groups


def curves_figure(path: Path, groups: Mapping[str, Sequence[Agent]], title: str = "") -> None:
    """Mean return of the last 100 training episodes against steps, a line an agent, a colour and a style a group.

    At the end of each line, the mean return of the evaluation: filled on training levels, open on unseen ones.
    """
    figure = Figure(figsize=(7.2, 4.4), dpi=110, layout="constrained")
    axis = figure.subplots()
    full = max(agent.options.rules.completed_return for agents in groups.values() for agent in agents)
    for number, (name, agents) in enumerate(groups.items()):
        colour, style, marker = (palette[number % 4] for palette in (COLOURS, STYLES, MARKERS))
        for index, agent in enumerate(agents):
            steps, returns = np.array(agent.curve, dtype=float).T
            axis.plot(steps / 1e6, returns, style, color=colour, lw=1.2, label=name if index == 0 else None)
            for levels, face in (("training", colour), ("unseen", "white")):
                if levels in agent.evaluation:
                    axis.plot(agent.steps / 1e6, agent.evaluation[levels].mean_return, marker, color=colour, mfc=face)
    axis.set(
        xlabel="environment steps, millions",
        ylabel=f"mean return ({full:g}: every level completed)",
        ylim=(0, 1.02 * full),
    )
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(title="end: filled training levels, open unseen", title_fontsize=8, fontsize=8, loc="lower right")
    save(figure, path)
