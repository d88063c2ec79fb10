"""What every chart shares: colours that people with any colour vision can tell apart, and writing a file."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from rollouts.files import atomic_path

matplotlib.use("Agg")


def save(figure: Figure, path: Path) -> None:
    """Write a PNG atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png")


COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
"""Okabe and Ito's, which people with any colour vision can tell apart."""
STYLES = ("-", "--", ":", "-.")
MARKERS = "osD^"
