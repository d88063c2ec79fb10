"""What every chart shares: colours that people with any colour vision can tell apart, and writing a file."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from rollouts.files import atomic_path

matplotlib.use("Agg")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Okabe and Ito's, which people with any colour vision can tell apart."""
STYLES = ("-", "--", ":", "-.", "-", "--")
MARKERS = "osD^v<"


def panels(count: int, width: float = 4.6, height: float = 3.6) -> tuple[Figure, Sequence[Axes]]:
    """A figure with axes side by side, each of this size in inches."""
    figure = Figure(figsize=(width * count, height), dpi=110, layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def points(axis: Axes, x: ArrayLike, y: ArrayLike, number: int, label: str | None, alpha: float = 1) -> None:
    """Hollow markers of the series with this number."""
    axis.plot(x, y, MARKERS[number], color=COLOURS[number], mfc="none", alpha=alpha, label=label)


def bars(
    axis: Axes,
    places: ArrayLike,
    heights: ArrayLike,
    width: float,
    number: int,
    label: str | None,
    hatch: str | None = None,
) -> None:
    """Bars of the series with this number, which its hatch tells apart without colour."""
    hatch = "/" * number if hatch is None else hatch
    axis.bar(places, heights, width, color=COLOURS[number], hatch=hatch, edgecolor="white", label=label)
