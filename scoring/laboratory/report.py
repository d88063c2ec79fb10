"""The laboratory's page in Markdown, and its pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from rollouts.files import write_atomically
from scoring.draw.charts import panels, save
from scoring.draw.frames import overlay
from scoring.draw.markdown import table
from scoring.explain.pixels.methods import PIXEL_METHODS
from scoring.laboratory.base import Bench
from scoring.laboratory.objects import CORRELATION, OVER_CONTROLS, SIGN, STRONGEST
from scoring.laboratory.randomisation import OVER_CHANCE

PAGE, OBJECTS = "LABORATORY.md", "objects.png"
PREFIX = f"{OVER_CHANCE}, "
HEADLINE = (CORRELATION, STRONGEST, SIGN, OVER_CONTROLS)
SHOWN = {
    "deletion": (
        "deletion by grey",
        "deletion by blur",
        "insertion into blur",
        "objects taken out in order",
        "objects, kl of the policy",
    ),
    "recovery": ("edges of the frame, untrained networks", "two logits, spearman of |map| over chance"),
    "surrogates": ("R² on other environments", "agreement with the tree"),
    "claims": ("completeness error, median", "max-sensitivity at 1/255"),
}


def write_page(folder: Path, rows: pd.DataFrame) -> Path:
    """Write `PAGE` with every test's table; the first paragraph says which methods fail which test."""
    parts = ["# Which explanation can be believed?", _verdict(rows)]
    for (agent, target), own in rows.groupby(["agent", "target"], sort=False):
        parts.append(f"## {agent}, {target}")
        for test in dict.fromkeys(own["test"]):
            parts += [f"### {test}", _table(own[own["test"] == test], test)]
    path = folder / PAGE
    write_atomically(path, "\n\n".join(parts) + "\n")
    return path


def failures(rows: pd.DataFrame) -> dict[str, list[str]]:
    """Of each test that asks something, the methods that fail it for some target; controls are not asked."""
    asked = rows[rows["passes"].notna() & ~rows["method"].isin([n for n, m in PIXEL_METHODS.items() if m.control])]
    return {
        str(test): [str(name) for name in dict.fromkeys(own.loc[~own["passes"].astype(bool), "method"])]
        for test, own in asked.groupby("test", sort=False)
    }


def _verdict(rows: pd.DataFrame) -> str:
    sentences = []
    for agent, own in rows.groupby("agent", sort=False):
        told = [f"{test}: {', '.join(names) or 'none'} fail" for test, names in failures(own).items()]
        sentences.append(f"**{agent}.** " + "; ".join(told) + ".")
    return "\n".join(sentences) + " What a test asks, and what passing means, is in docs/laboratory.md."


def _table(rows: pd.DataFrame, test: str) -> str:
    if test == "objects":
        columns: Sequence[str] = HEADLINE
    elif test in SHOWN:
        columns = SHOWN[test]
    elif test == "randomisation":
        columns = [s for s in dict.fromkeys(rows["statistic"]) if s.startswith(f"{PREFIX}cascading")]
    else:
        columns = [s for s in dict.fromkeys(rows["statistic"]) if s.startswith("mass, ")]
    heads = [
        "method",
        *(column.removeprefix(PREFIX).replace("|", "\\|") for column in columns),
    ]
    cells = {(row.method, row.statistic): _cell(row) for row in rows.itertuples()}
    lines = [[name, *(cells.get((name, column), "") for column in columns)] for name in dict.fromkeys(rows["method"])]
    return table(heads, lines)


def _cell(row: Any) -> str:
    value, low, high = (float(getattr(row, key)) for key in ("value", "low", "high"))
    if np.isnan(value):
        return "–"
    text = f"{value:.2f}" if np.isnan(low) else f"{value:.2f} ({low:.2f} to {high:.2f})"
    return text if pd.isna(row.passes) or row.passes else f"{text} ✗"


def objects_figure(path: Path, rows: pd.DataFrame) -> None:
    """The headline: each method's rank correlation with removal, the controls below, one panel an agent and target."""
    own = rows[(rows["test"] == "objects") & (rows["statistic"] == CORRELATION)]
    groups = list(own.groupby(["agent", "target"], sort=False))
    figure, axes = panels(len(groups), 5.2, 5.0)
    for axis, ((agent, target), group) in zip(axes, groups, strict=True):
        control = group["method"].isin([name for name, method in PIXEL_METHODS.items() if method.control])
        ordered = pd.concat([group[control].sort_values("value"), group[~control].sort_values("value")])
        places = np.arange(len(ordered))
        errors = np.abs(ordered[["low", "high"]].to_numpy().T - ordered["value"].to_numpy())
        colours = np.where(control.loc[ordered.index], "0.5", "#0072B2")
        for place, value, error, colour in zip(places, ordered["value"], errors.T, colours, strict=True):
            axis.errorbar(value, place, xerr=error[:, None], fmt="o", color=colour, ms=4)
        axis.set_yticks(places, ordered["method"], fontsize=8)
        axis.axvline(0, color="0.7", lw=1)
        axis.set(xlabel="rank correlation with the effect of removal", title=f"{agent}, {target}", xlim=(-0.5, 1.05))
    save(figure, path)


def maps_figure(path: Path, bench: Bench, frames: int = 4) -> None:
    """Each method's map over the same frames, of different environments; colours are scaled frame by frame."""
    _, first = np.unique(bench.scenes.environment, return_index=True)
    chosen = first[:frames]
    names = list(bench.maps)
    columns = int(np.ceil(len(names) / 2))
    figure = Figure(figsize=(1.05 * columns, 2.24 * frames + 0.3), dpi=110, layout="constrained")
    grid = figure.subplots(2 * frames, columns, squeeze=False)
    for axis in grid.ravel():
        axis.set_axis_off()
    cells = np.arange(64)
    for number, name in enumerate(names):
        half, column = divmod(number, columns)
        for row, i in enumerate(chosen):
            axis = grid[half * frames + row, column]
            drawn = bench.maps[name][i]
            strongest = max(float(np.quantile(np.abs(drawn), 0.99)), 1e-12)
            axis.imshow(overlay(bench.scenes.frames[i], drawn, cells, strongest))
            if row == 0:
                axis.set_title(name, fontsize=6.5)
    save(figure, path)
