"""Examples of what a feature answers to, place by place (Hilton et al. 2020: spatially aware dataset examples)."""

from dataclasses import dataclass
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRID = 8
"""The grid of examples has so many positions along each side."""
REUSE = 3
"""Positions of the grid that one frame may fill (Hilton et al. 2020)."""


@dataclass(frozen=True)
class Examples:
    """For each position of the grid, the frame there, its activation, and the layer's cell that has it.

    `frame` and `activation` (GRID, GRID), `cell` (GRID, GRID, 2) as row and column; frame -1 where the frames are too
    few to fill the grid.
    """

    frame: NDArray[np.int64]
    activation: NDArray[np.float64]
    cell: NDArray[np.int64]


def example_grid(activations: NDArray[np.floating[Any]]) -> Examples:
    """At each position a frame where the feature (N, H, W) fires most there, each frame at `REUSE` positions at most.

    Pairs of position and frame are taken in the order of activation. A position is a block of cells, as even as the
    layer's size allows, and its activation the largest in it.
    """
    frames, size = activations.shape[0], activations.shape[-1]
    spans = [(int(low), int(np.ceil(high))) for low, high in pairwise(np.linspace(0, size, GRID + 1))]
    strength, cells = np.zeros((GRID * GRID, frames)), np.zeros((GRID * GRID, frames, 2), dtype=np.int64)
    for position, ((top, bottom), (left, right)) in enumerate(product(spans, spans)):
        block = activations[:, top:bottom, left:right].reshape(frames, -1)
        strength[position] = block.max(axis=1)
        rows, columns = np.divmod(block.argmax(axis=1), right - left)
        cells[position] = np.stack([top + rows, left + columns], axis=-1)
    frame, activation = np.full(GRID * GRID, -1, dtype=np.int64), np.zeros(GRID * GRID)
    cell, uses = np.zeros((GRID * GRID, 2), dtype=np.int64), np.zeros(frames, dtype=np.int64)
    for pair in np.argsort(-strength, axis=None, kind="stable"):
        position, number = divmod(int(pair), frames)
        if frame[position] < 0 and uses[number] < REUSE:
            frame[position], activation[position] = number, strength[position, number]
            cell[position] = cells[position, number]
            uses[number] += 1
    return Examples(frame.reshape(GRID, GRID), activation.reshape(GRID, GRID), cell.reshape(GRID, GRID, 2))
