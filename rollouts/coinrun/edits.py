"""Levels with one face of their walls somewhere else: what shows whether attribution is on a face because of it.

A run of a face, all wall cells side by side that are open on the same side, is moved by `CELLS_MOVED` cells: filled up
in front, or taken away from. Nothing else changes; an edit that would touch an entity, the coin or lava is not made.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from rollouts.coinrun.faces import CELLS, SIDES, Cells, open_cells, part_cells, part_pixels, wall_cells
from rollouts.coinrun.state import COIN, LAVA, LAVA_TOP, SPACE, WALL, WALL_TOP
from rollouts.masks import Mask
from rollouts.procgen_state import State

CELLS_MOVED = 2
LEAST_PIXELS = 4
"""Of a face that must show for it to be moved."""
FACE_OF = {"end_left": "left", "end_right": "right", "foot_left": "right", "foot_right": "left"}
"""The face whose moving takes a corner along."""


def edits(state: State, part: str, wall: Mask) -> Iterator[tuple[State, Mask]]:
    """Every edit that moves a visible piece of this part of walls (`faces.parts_of_walls`), in the order of the grid.

    `wall` (64, 64) are the visible wall pixels. With each edited state come the pixels (64, 64) that the piece was seen
    in, where it is no more.
    """
    side, cells = FACE_OF.get(part, part), part_cells(state.grid)
    for run in runs(cells[side] & _in_view(state), side):
        where = part_pixels(state, part, cells[part] & _piece(state.grid, part, side, run)) & wall
        if where.sum() < LEAST_PIXELS:
            continue
        for outwards in (True, False):
            moved = move(state, side, run, outwards)
            if moved is not None:
                yield moved, where


def _piece(grid: NDArray[np.int32], part: str, side: str, run: NDArray[np.int64]) -> Cells:
    """Where a part can be that moves with a run of a face: an end is on its highest cell, a foot below it, in front."""
    places = run + np.array(SIDES[side][::-1]) - np.array([1, 0]) if part.startswith("foot") else run
    cells = np.zeros(grid.shape, dtype=bool)
    inside = (places >= 0).all(axis=1) & (places < cells.shape).all(axis=1)
    cells[tuple(places[inside].T)] = True
    return cells


def runs(cells: Cells, side: str) -> list[NDArray[np.int64]]:
    """Cells [y, x] of a face in groups (n, 2) of neighbours along the face."""
    along = 1 if side in ("top", "under") else 0
    places = np.argwhere(cells)
    order = places[np.lexsort((places[:, along], places[:, 1 - along]))]
    if not len(order):
        return []
    same_line = np.diff(order[:, 1 - along]) == 0
    breaks = np.flatnonzero(~(same_line & (np.diff(order[:, along]) == 1))) + 1
    return np.split(order, breaks)


def move(state: State, side: str, run: NDArray[np.int64], outwards: bool) -> State | None:
    """The state with a run (n, 2) of a face moved outwards (filled up) or inwards (taken away), None where it may not.

    Outwards it must be open in front, inwards wall behind, as far as the face moves and one cell further.
    """
    step = np.array(SIDES[side][::-1]) * (1 if outwards else -1)
    first = 1 if outwards else 0
    changed = np.concatenate([run + step * n for n in range(first, first + CELLS_MOVED)])
    beyond = run + step * (first + CELLS_MOVED)
    height, width = state.grid.shape
    touched = np.concatenate([changed, beyond])
    if (touched < 0).any() or (touched >= (height, width)).any():
        return None
    free = open_cells(state.grid) if outwards else wall_cells(state.grid)
    if not free[tuple(touched.T)].all():
        return None
    cells = np.zeros(state.grid.shape, dtype=bool)
    cells[tuple(changed.T)] = True
    around = binary_dilation(cells, np.ones((3, 3)))
    if np.isin(state.grid[around], (COIN, LAVA, LAVA_TOP)).any() or (around & _occupied(state)).any():
        return None
    edited = state.copy()
    edited.grid[cells] = WALL if outwards else SPACE
    _set_tops(edited.grid, around)
    return edited


def _set_tops(grid: NDArray[np.int32], around: Cells) -> None:
    """Give walls the picture of a top where nothing is above them, as levels have it, within `around`."""
    walls = wall_cells(grid)
    covered = np.zeros_like(walls)
    covered[:-1] = walls[1:]
    covered[-1] = True
    grid[around & walls & covered] = WALL
    grid[around & walls & ~covered] = WALL_TOP


def _occupied(state: State) -> Cells:
    """Cells that some entity overlaps."""
    cells = np.zeros(state.grid.shape, dtype=bool)
    for entity in state.entities:
        left, right, bottom, top = (
            float(entity[axis]) + sign * float(entity[f"r{axis}"]) for axis in "xy" for sign in (-1, 1)
        )
        cells[max(int(bottom), 0) : int(np.ceil(top)), max(int(left), 0) : int(np.ceil(right))] = True
    return cells


def _in_view(state: State) -> Cells:
    """Cells that can show in the frame."""
    y, x = (np.arange(size) for size in state.grid.shape)
    reach = CELLS / 2 + 1
    near_y, near_x = abs(y + 0.5 - state.agent["y"]) <= reach, abs(x + 0.5 - state.agent["x"]) <= reach
    return np.outer(near_y, near_x)
