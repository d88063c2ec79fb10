"""How many levels agents complete along their trainings, against what the trainings cost."""

from collections.abc import Sequence
from pathlib import Path

from agents.completion import LEVELS, Row
from scoring.draw.charts import COLOURS, MARKERS, STYLES, panels, save


def trainings(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows of agents that know what they cost, by the training that they are of, in the order of cost.

    A training is a folder with `agent.safetensors` and `agent-1of5.safetensors`; any other file is one of its own.
    """
    groups: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: (row.num_levels, row.flops or 0)):
        path = Path(row.agent)
        if row.flops:
            groups.setdefault(path.parent.name if path.name.startswith("agent") else path.name, []).append(row)
    return groups


def completion_figure(path: Path, rows: Sequence[Row]) -> bool:
    """Write a PNG: completion in percent with 95 % intervals against TFLOP, training levels beside unseen ones.

    Nothing is drawn, and False returned, where no agent knows what it cost.
    """
    groups = trainings(rows)
    if not groups:
        return False
    figure, axes = panels(len(LEVELS), 5.2, 4.2)
    for axis, levels in zip(axes, LEVELS, strict=True):
        for number, (name, along) in enumerate(groups.items()):
            drawn = [row for row in along if row.levels == levels]
            share = [100 * row.completed for row in drawn]
            below = [100 * (row.completed - row.low) for row in drawn]
            above = [100 * (row.high - row.completed) for row in drawn]
            axis.errorbar(
                [(row.flops or 0) / 1e12 for row in drawn],
                share,
                (below, above),
                color=COLOURS[number % len(COLOURS)],
                linestyle=STYLES[number // len(COLOURS) % len(STYLES)],
                marker=MARKERS[(number + number // len(COLOURS)) % len(MARKERS)],
                markersize=4,
                capsize=2,
                linewidth=1,
                label=name,
            )
        axis.set_xlabel("training so far, TFLOP")
        new = any(row.layouts == "new" for row in rows if row.levels == levels)
        axis.set_title(f"{levels} levels{' of new layouts' if new else ''}")
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("levels completed, %")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", fontsize=7)
    save(figure, path)
    return True
