"""Pictures of a score."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rollouts.files import atomic_path
from scoring.geometry import cell_of_pixel
from scoring.pipeline import Score
from scoring.report.table import label

matplotlib.use("Agg")

POSITIVE, NEGATIVE = (0.95, 0.35, 0.0), (0.0, 0.35, 1.0)
"""Colours of attribution that raises the target and of attribution that lowers it."""


def overlay(
    frame: NDArray[np.uint8], attribution: NDArray[np.floating], cells: NDArray[np.integer], scale: float
) -> NDArray[np.float64]:
    """A frame (64, 64, 3) in grey with signed attribution (height, width) in colour over it.

    `cells` (64,) is the cell of each pixel along an axis, -1 for none; opacity is |attribution| / `scale`, at most 1.
    """
    grey = np.repeat((frame @ (0.299, 0.587, 0.114) / 255 * 0.75)[..., None], 3, axis=-1)
    inside = (cells[:, None] >= 0) & (cells[None, :] >= 0)
    signed = np.where(inside, attribution[cells[:, None], cells[None, :]], 0)[..., None]
    opacity = np.clip(np.abs(signed) / max(scale, 1e-12), 0, 1)
    colour = np.where(signed > 0, np.array(POSITIVE), np.array(NEGATIVE))
    return np.asarray(grey * (1 - opacity) + colour * opacity)


def top_frames(maps: NDArray[np.floating], environment: NDArray[np.integer], count: int) -> NDArray[np.int64]:
    """The frames (count,) in which a feature (frames, height, width) attributes most, each of another environment."""
    order = np.argsort(-np.abs(maps).sum(axis=(1, 2)), kind="stable")
    _, first = np.unique(environment[order], return_index=True)
    return np.asarray(order[np.sort(first)][:count])


def features_figure(
    path: Path, score: Score, frames: NDArray[np.uint8], environment: NDArray[np.integer], title: str, columns: int = 8,
    most: int = 16,
) -> None:  # fmt: skip
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
        text.text(0, 0.5, label(score, int(k)), va="center", ha="left", fontsize=8, linespacing=1.35, transform=text.transAxes,
                  color="black" if score.features.interpretable[k] else "0.45")  # fmt: skip
        for column in range(columns):
            axis = axes[row, column + 1]
            if column < len(top):
                axis.imshow(overlay(frames[top[column]], maps[top[column]], cells, scale), interpolation="nearest")
        for axis in axes[row]:
            axis.set_axis_off()
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    note = "attribution raises (orange) or lowers (blue) the target; frames where the feature attributes most, one an environment"
    figure.text(0.01, 0.006, note, fontsize=7.5, color="0.3")
    top_margin = 1 - 0.5 / height
    figure.subplots_adjust(left=0.01, right=0.995, top=top_margin, bottom=0.28 / height, wspace=0.04, hspace=0.06)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
