"""The pictures of the study, one group of agents each, against the number of training levels."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.draw.charts import COLOURS, MARKERS, STYLES, save
from scoring.metrics.arrays import FloatArray
from scoring.study.answer import at_default_layer, of_default_layer, rung_means
from scoring.study.cells import versioned
from scoring.study.published import published
from scoring.study.table import FEATURES, kinds_of, version_of

RATED = "0.45"
"""The grey of what people measured."""
MOST_INSIDE = 8
"""Lines of which a legend still fits into the axes."""


def _axes(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * count, 3.8), dpi=110, layout="constrained")
    axes = list(figure.subplots(1, count, squeeze=False)[0])
    for axis in axes:
        axis.set(xscale="log", xlabel="training levels", xlim=(70, 140_000))
        axis.grid(alpha=0.3)
    return figure, axes


def _line(axis: Axes, rows: pd.DataFrame, column: str, number: int, label: str, limits: str | None = None) -> None:
    """A dot an agent, with its interval where there are columns of `limits`, and a line through the rung means."""
    rows = rows[rows["levels"] > 0]
    limits = limits or column
    colour, marker = COLOURS[number % 4], MARKERS[number % 4]
    if f"{limits}_low" in rows and rows[column].notna().any():
        low, high = rows[column] - rows[f"{limits}_low"], rows[f"{limits}_high"] - rows[column]
        spread = np.clip(np.array([low, high], dtype=float), 0, None)
        axis.errorbar(rows["levels"], rows[column], spread, fmt=marker, color=colour, ms=5, capsize=2, lw=1)
    else:
        axis.plot(rows["levels"], rows[column], marker, color=colour, ms=5)
    means = rung_means(rows, column)
    axis.plot(means.index, means.to_numpy(), color=colour, lw=1.2, label=label)


def _level(axis: Axes, table: pd.DataFrame, column: str) -> None:
    """Untrained networks of the group, as a line across."""
    rows = at_default_layer(table, "shared")
    untrained = rows[~rows["trained"] & (rows["features"] == "nmf")][column].dropna()
    if len(untrained):
        axis.axhline(untrained.mean(), color="0.7", ls=":", label="untrained network")


def _people(axis: Axes, values: FloatArray, label: str) -> None:
    rated = published()
    for row in values:
        axis.plot(rated.levels, row, ".", color=RATED, alpha=0.6)
    axis.plot(rated.levels, values.mean(axis=0), "--", color=RATED, lw=1, label=label)


def completion(table: pd.DataFrame, path: Path) -> None:
    """Levels completed, training and unseen, ours and the paper's."""
    figure, (left, right) = _axes(2)
    rows = of_default_layer(table, "shared", "nmf")
    for axis, title in ((left, "here: procgen, hard"), (right, "Hilton et al. 2020: original CoinRun")):
        axis.set(title=title, ylabel="share of levels completed", ylim=(0, 1.03))
    levels = published().levels
    for number, (name, shares) in enumerate(published().completed.items()):
        _line(left, rows, f"{name}_completed", number, f"{name} levels", limits=name)
        right.plot(levels, shares.mean(axis=0), color=COLOURS[number], lw=1.2, label=f"{name} levels")
        for row in shares:
            right.plot(levels, row, MARKERS[number], color=COLOURS[number], ms=4, mfc="none")
    for axis in (left, right):
        axis.legend(fontsize=8, loc="lower right")
    save(figure, path)


def orbay(table: pd.DataFrame, path: Path) -> None:
    """The published score and what it would be by chance."""
    figure, (axis,) = _axes(1)
    rows = of_default_layer(table, "shared", "nmf")
    _line(axis, rows, "orbay2020", 0, "orbay2020")
    _line(axis, rows, "orbay_chance", 1, "its chance level")
    axis.axhline(rows["objects"].mean(), color="0.7", ls=":", label="share of the frame that objects cover")
    axis.set(ylim=(0, 1), ylabel="score", title="orbay2020 and its chance level")
    axis.legend(fontsize=8)
    save(figure, path)


def headline(table: pd.DataFrame, path: Path) -> None:
    """Graded score and interpretable fraction, and what people gave."""
    figure, axes = _axes(3)
    for axis, (column, title) in zip(
        axes, (("graded_score", "graded score"), ("interpretable_fraction", "interpretable fraction")), strict=False
    ):
        for number, features in enumerate(FEATURES):
            _line(axis, of_default_layer(table, "shared", features), column, number, features)
        _level(axis, table, column)
        axis.set(title=f"{title}, shared bank", ylabel=versioned(title, version_of(table)), ylim=(0, None))
        axis.legend(fontsize=8)
    _people(axes[2], published().interpretable, "mean of two raters, two agents")
    axes[2].set(title="Hilton et al. 2020: people's ratings", ylabel="rated interpretable", ylim=(0, 1.03))
    axes[2].legend(fontsize=8)
    save(figure, path)


def layers(table: pd.DataFrame, path: Path) -> None:
    """The graded score of every layer, NMF and channels."""
    figure, axes = _axes(2)
    chosen = table[(table["bank"] == "shared") & table["trained"]]
    for axis, features in zip(axes, ("nmf", "channels"), strict=True):
        own = chosen[chosen["features"] == features]
        for number, layer in enumerate(sorted(set(own["layer"]))):
            means = rung_means(own[(own["layer"] == layer) & (own["levels"] > 0)], "graded_score")
            axis.plot(
                means.index,
                means.to_numpy(),
                f"{MARKERS[number % 4]}-",
                label=layer,
                lw=1.2,
                ms=4,
                color=COLOURS[number % 4],
                alpha=1 if number < 4 else 0.5,
            )
        axis.set(title=f"{features}, shared bank", ylabel=versioned("graded score", version_of(table)), ylim=(0, None))
        axis.legend(fontsize=8, title="layer", title_fontsize=8)
    save(figure, path)


def classes(table: pd.DataFrame, path: Path) -> None:
    """The highest kappa of any feature on each kind of thing in the headline."""
    figure, axes = _axes(2)
    for axis, features in zip(axes, ("nmf", "channels"), strict=True):
        rows = of_default_layer(table, "shared", features)
        for number, (name, words) in enumerate(kinds_of(table).items()):
            means = rung_means(rows[rows["levels"] > 0], f"kappa_{name}").dropna()
            if len(means):
                axis.plot(
                    means.index,
                    means.to_numpy(),
                    MARKERS[(number + number // 16) % 4],
                    ls=STYLES[number // 4 % 4],
                    color=COLOURS[number % 4],
                    label=words,
                    ms=4,
                    lw=1.2,
                )
        label = versioned("highest κ of any feature", version_of(table))
        axis.set(title=f"{features}, shared bank", ylabel=label, ylim=(0, None))
    if len(kinds_of(table)) <= MOST_INSIDE:
        for axis in axes:
            axis.legend(fontsize=8)
    else:
        lines = {str(line.get_label()): line for axis in axes for line in axis.get_lines()}
        figure.legend(lines.values(), list(lines), fontsize=8, loc="outside right center")
    save(figure, path)


def along_training(checkpoints: pd.DataFrame, table: pd.DataFrame, path: Path) -> None:
    """The graded score of each agent's checkpoints, by steps and by what they complete; darker: more levels."""
    figure = Figure(figsize=(11.6, 4.0), dpi=110, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    rows = of_default_layer(checkpoints, "shared", "nmf").sort_values("steps")
    levels = rung_means(rows, "graded_score").index
    for axis, column in zip(axes, ("steps", "completes"), strict=True):
        for number, rung in enumerate(levels):
            colour = colormaps["viridis_r"](0.1 + 0.9 * number / max(len(levels) - 1, 1))
            for place, (_, own) in enumerate(rows[rows["levels"] == rung].groupby("agent")):
                x = own[column] / (1e6 if column == "steps" else 1)
                label = (f"{rung:,}" if rung else "unlimited") if place == 0 else None
                axis.plot(x, own["graded_score"], ".-", color=colour, ms=6, lw=1.2, label=label)
                axis.plot(x.iloc[-1:], own["graded_score"].iloc[-1:], "o", color=colour, ms=9, mfc="none")
        _level(axis, table, "graded_score")
        axis.set(ylabel=versioned("graded score, nmf, shared bank", version_of(rows)), ylim=(0, None))
        axis.grid(alpha=0.3)
    axes[0].set(xlabel="million steps", title="along the training")
    axes[1].set(xlabel="share of training levels completed", title="against what the agent completes")
    axes[1].legend(fontsize=8, title="training levels", title_fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    save(figure, path)


FIGURES: Mapping[str, Callable[[pd.DataFrame, Path], None]] = {
    "completion": completion,
    "orbay2020": orbay,
    "headline": headline,
    "layers": layers,
    "classes": classes,
}
"""Each draws the rows of one group."""
