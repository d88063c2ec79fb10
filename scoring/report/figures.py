"""Pictures of a score."""

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.files import atomic_path
from rollouts.masks import CLASSES, Renderer, without_objects
from rollouts.state import parse
from scoring.geometry import cell_of_pixel
from scoring.pipeline import Score
from scoring.report.table import label

matplotlib.use("Agg")

POSITIVE, NEGATIVE = (0.95, 0.35, 0.0), (0.0, 0.35, 1.0)
"""Colours of attribution that raises the target and of attribution that lowers it."""


def overlay(
    frame: NDArray[np.uint8], attribution: NDArray[np.floating[Any]], cells: NDArray[np.integer[Any]], scale: float
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


def top_frames(maps: NDArray[np.floating[Any]], environment: NDArray[np.integer[Any]], count: int) -> NDArray[np.int64]:
    """The frames (count,) in which a feature (frames, height, width) attributes most, each of another environment."""
    order = np.argsort(-np.abs(maps).sum(axis=(1, 2)), kind="stable")
    _, first = np.unique(environment[order], return_index=True)
    return np.asarray(order[np.sort(first)][:count])


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
        colour = "black" if score.features.interpretable[k] else "0.45"
        text.text(0, 0.5, label(score, int(k)), va="center", fontsize=8, linespacing=1.35, color=colour)
        for column in range(columns):
            axis = axes[row, column + 1]
            if column < len(top):
                axis.imshow(overlay(frames[top[column]], maps[top[column]], cells, scale), interpolation="nearest")
        for axis in axes[row]:
            axis.set_axis_off()
    figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    note = (
        "attribution raises (orange) or lowers (blue) the target; "
        "the frames where the feature attributes most, each of another environment"
    )
    figure.text(0.01, 0.006, note, fontsize=7.5, color="0.3")
    top_margin = 1 - 0.5 / height
    figure.subplots_adjust(left=0.01, right=0.995, top=top_margin, bottom=0.28 / height, wspace=0.04, hspace=0.06)
    save(figure, path)


MASK_COLOURS = {
    "coin": "#ffd400",
    "saw": "#ff2020",
    "enemy": "#c000ff",
    "trail": "#e9a6ff",
    "crate": "#b06a20",
    "lava": "#ff7a00",
    "wall": "#4d7a8c",
    "agent": "#00c060",
    "velocity": "#9a9a9a",
}


def masks_figure(path: Path, bank: FrameBank, columns: int = 8) -> None:
    """Frames of a bank, the masks of everything in them, and the frames with all of it taken out.

    The frames are those that show the most kinds of objects, each of another environment.
    """
    bank.check_renderer()
    renderer = Renderer()
    spread = np.unique(np.linspace(0, len(bank) - 1, 96).astype(int))
    found = {int(i): renderer.masks(parse(bank.states[i])).classes for i in spread}
    order = sorted(found, key=lambda i: (-int(found[i].any(axis=(1, 2)).sum()), i))
    first = {int(bank.environment[i]): i for i in reversed(order)}
    chosen = [i for i in order if first[int(bank.environment[i])] == i][:columns]
    figure = Figure(figsize=(1.5 * columns + 1.1, 5.3), dpi=110)
    axes = figure.subplots(3, columns, squeeze=False)
    for column, i in enumerate(chosen):
        state = parse(bank.states[i])
        painted = np.zeros((64, 64, 3))
        for name, mask in zip(CLASSES, found[i], strict=True):
            painted[mask] = to_rgb(MASK_COLOURS[name])
        for row, image in enumerate((bank.frames[i], painted, renderer.render(without_objects(state)))):
            axes[row, column].imshow(image, interpolation="nearest")
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for axis, name in zip(axes[:, 0], ("frame", "masks", "without objects"), strict=True):
        axis.set_ylabel(name, fontsize=9)
    handles = [Patch(color=colour, label=name) for name, colour in MASK_COLOURS.items()]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=8, frameon=False)
    figure.subplots_adjust(left=0.03, right=0.995, top=0.99, bottom=0.07, wspace=0.04, hspace=0.04)
    save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a PNG atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")
