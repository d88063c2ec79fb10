"""Frames with attribution over them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

POSITIVE, NEGATIVE = (0.95, 0.35, 0.0), (0.0, 0.35, 1.0)
"""Colours of attribution that raises the target and of attribution that lowers it."""


def overlay(
    frame: NDArray[np.uint8], attribution: NDArray[np.floating[Any]], cells: NDArray[np.integer[Any]], scale: float
) -> NDArray[np.float64]:
    """A frame (64, 64, 3) in grey with signed attribution (height, width) in colour over it.

    `cells` (64,) is the cell of each pixel along an axis, -1 for none; opacity is |attribution| / `scale`, at most 1.
    """
    grey = np.repeat((frame @ (0.299, 0.587, 0.114) / 255 * 0.75)[..., None], 3, axis=-1)
    signed = on_pixels(attribution, cells)[..., None]
    opacity = np.clip(np.abs(signed) / max(scale, 1e-12), 0, 1)
    colour = np.where(signed > 0, np.array(POSITIVE), np.array(NEGATIVE))
    return np.asarray(grey * (1 - opacity) + colour * opacity)


def on_pixels(maps: NDArray[np.floating[Any]], cells: NDArray[np.integer[Any]]) -> NDArray[np.floating[Any]]:
    """A map (height, width) of cells -> of pixels (64, 64), each that of its cell and 0 where there is none.

    `cells` (64,) is the cell of each pixel along an axis, -1 for none.
    """
    inside = (cells[:, None] >= 0) & (cells[None, :] >= 0)
    return np.where(inside, maps[cells[:, None], cells[None, :]], 0)


def top_frames(maps: NDArray[np.floating[Any]], environment: NDArray[np.integer[Any]], count: int) -> NDArray[np.int64]:
    """The frames (count,) in which a feature (frames, height, width) attributes most, each of another environment."""
    order = np.argsort(-np.abs(maps).sum(axis=(1, 2)), kind="stable")
    _, first = np.unique(environment[order], return_index=True)
    return np.asarray(order[np.sort(first)][:count])
