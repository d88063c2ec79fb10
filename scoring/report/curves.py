"""Learning curves of agents, from what their checkpoints remember."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from agents.checkpoint import Agent
from scoring.draw.charts import COLOURS, MARKERS, STYLES, save


def curves_figure(path: Path, groups: Mapping[str, Sequence[Agent]], title: str = "") -> None:
    """Mean return of the last 100 training episodes against steps, a line an agent, a colour and a style a group.

    At the end of each line, the mean return of the evaluation: filled on training levels, open on unseen ones.
    """
    figure = Figure(figsize=(7.2, 4.4), dpi=110, layout="constrained")
    axis = figure.subplots()
    for number, (name, agents) in enumerate(groups.items()):
        colour, style, marker = (palette[number % 4] for palette in (COLOURS, STYLES, MARKERS))
        for index, agent in enumerate(agents):
            steps, returns = np.array(agent.curve, dtype=float).T
            axis.plot(steps / 1e6, returns, style, color=colour, lw=1.2, label=name if index == 0 else None)
            for levels, face in (("training", colour), ("unseen", "white")):
                if levels in agent.evaluation:
                    axis.plot(agent.steps / 1e6, agent.evaluation[levels].mean_return, marker, color=colour, mfc=face)
    axis.set(xlabel="environment steps, millions", ylabel="mean return (10: every level completed)", ylim=(0, 10.2))
    axis.set_title(title, fontsize=10)
    axis.grid(alpha=0.3)
    axis.legend(title="end: filled training levels, open unseen", title_fontsize=8, fontsize=8, loc="lower right")
    save(figure, path)
