"""The picture of a score: a row a feature, with the frames where it attributes most."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from scoring.draw.charts import save
from scoring.draw.frames import overlay, top_frames
from scoring.explain.geometry import cell_of_pixel
from scoring.pipeline import Score
from scoring.tables import label


def features_figure(
    path: Path,
    score: Score,
    frames: NDArray[np.uint8],
    environment: NDArray[np.integer[Any]],
    title: str,
    columns: int = 8,
    most: int = 16,
) -> None:
    """One row a feature, by share of attribution: what it is labelled as, and where it attributes most."""
    chosen = np.argsort(-score.features.share)[:most]
    cells = np.arange(64) if score.maps.shape[-1] == 64 else cell_of_pixel(score.geometry)
    height = 1.08 * len(chosen) + 0.9
    figure = Figure(figsize=(2.4 + 1.05 * columns, height), dpi=110)
    axes = figure.subplots(len(chosen), columns + 1, squeeze=False, gridspec_kw={"width_ratios": [2.2] + [1] * columns})
    for row, k in enumerate(chosen):
        maps = score.maps[:, k]
        top = top_frames(maps, environment, columns)
        scale = float(np.quantile(np.abs(maps[top]).max(axis=(1, 2)), 0.5)) if len(top) else 1.0
        text = axes[row, 0]
        colour = "black" if score.verdict.interpretable[k] else "0.45"
        text.text(0, 0.5, label(score, int(k)), va="center", fontsize=8, linespacing=1.35, color=colour)
        for column in range(columns):
            axis = axes[row, column + 1]
            if column < len(top):
                axis.imshow(overlay(frames[top[column]], maps[top[column]], cells, scale), interpolation="nearest")
        for axis in axes[row]:
            axis.set_axis_off()
    figure.suptitle(f"{title}; version {score.record.version} of the score", fontsize=10, x=0.01, ha="left")
    note = (
        "attribution raises (orange) or lowers (blue) the target; "
        "the frames where the feature attributes most, each of another environment"
    )
    figure.text(0.01, 0.006, note, fontsize=7.5, color="0.3")
    top_margin = 1 - 0.5 / height
    figure.subplots_adjust(left=0.01, right=0.995, top=top_margin, bottom=0.28 / height, wspace=0.04, hspace=0.06)
    save(figure, path)
