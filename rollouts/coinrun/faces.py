"""Parts of CoinRun's walls, exact to the pixel: faces, ends and feet of steps, from the grid and the camera.

A pixel belongs to what holds its centre. Cells are drawn `OVERLAP` wider on every side than they are, so that no gaps
show between them. A *face* is where a wall cell has an open cell (space, a barrier for enemies, or the coin) beside it.
"""

import numpy as np
from numpy.typing import NDArray

from rollouts.coinrun.state import COIN, ENEMY_BARRIER, SPACE, WALL, WALL_TOP
from rollouts.masks import Mask
from rollouts.procgen_state import State

SIZE = 64
CELLS = 13
"""A frame is so many pixels, and shows so many cells, each way."""
UNIT = SIZE / CELLS
OVERLAP = 0.02
"""Cells."""
FACE_PIXELS = 2
"""How deep a face is."""
CORNER_PIXELS = 3
"""How far an end or a foot reaches from its corner, each way."""
SIDES = {"top": (0, 1), "left": (-1, 0), "right": (1, 0), "under": (0, -1)}
"""From a cell to its neighbour on each side, (x, y)."""
CENTRES = np.arange(SIZE) + 0.5

Cells = NDArray[np.bool_]


def columns_of(state: State, x: float) -> float:
    """Where x, in cells from the left of the level, is in the frame, in pixels from its left."""
    return float((x - (float(state.agent["x"]) - CELLS / 2)) * UNIT)


def rows_of(state: State, y: float) -> float:
    """Where y, in cells from the bottom of the level, is in the frame, in pixels from its top."""
    return float(SIZE - (y - (float(state.agent["y"]) - CELLS / 2)) * UNIT)


def rectangle(left: float, right: float, top: float, bottom: float) -> Mask:
    """Pixels (64, 64) whose centres lie between these edges, in pixels."""
    rows, columns = (np.clip(CENTRES, *limits) == CENTRES for limits in ((top, bottom), (left, right)))
    return np.outer(rows, columns)


def _face(state: State, side: str, x: int, y: int) -> Mask:
    """The pixels of a cell that are next to one of its sides."""
    left, bottom = columns_of(state, x), rows_of(state, y)
    right, top = left + UNIT, bottom - UNIT
    edge = OVERLAP * UNIT
    return {
        "top": rectangle(left, right, top - edge, top + FACE_PIXELS),
        "left": rectangle(left - edge, left + FACE_PIXELS, top, bottom),
        "right": rectangle(right - FACE_PIXELS, right + edge, top, bottom),
        "under": rectangle(left, right, bottom - FACE_PIXELS, bottom + edge),
    }[side]


def _corner(state: State, side: str, x: int, y: int) -> Mask:
    """The pixels near the upper left or the upper right corner of a cell."""
    column, row = columns_of(state, x + (side == "right")), rows_of(state, y + 1)
    return rectangle(column - CORNER_PIXELS, column + CORNER_PIXELS, row - CORNER_PIXELS, row + CORNER_PIXELS)


def _moved(cells: Cells, dx: int, dy: int) -> Cells:
    """What is dx cells to the right of each cell and dy above it; outside the level nothing is."""
    result = np.zeros_like(cells)
    height, width = cells.shape
    rows, columns = slice(max(-dy, 0), height - max(dy, 0)), slice(max(-dx, 0), width - max(dx, 0))
    result[rows, columns] = cells[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)]
    return result


def open_cells(grid: NDArray[np.int32]) -> Cells:
    """Where the agent could be."""
    return np.isin(grid, (SPACE, ENEMY_BARRIER, COIN))


def wall_cells(grid: NDArray[np.int32]) -> Cells:
    return np.isin(grid, (WALL, WALL_TOP))


def face_cells(grid: NDArray[np.int32]) -> dict[str, Cells]:
    """Wall cells with an open cell on each of their sides, [y, x] as the grid."""
    wall, is_open = wall_cells(grid), open_cells(grid)
    return {side: wall & _moved(is_open, *step) for side, step in SIDES.items()}


def part_cells(grid: NDArray[np.int32]) -> dict[str, Cells]:
    """The wall cells [y, x] that each part is on, by its name.

    Of faces those with an open cell above, to the left, to the right and below. Of ends those open above, to one side,
    and diagonally between: where a platform ends. Of feet those open above, with a wall one higher in the next column.
    """
    parts, wall, is_open = face_cells(grid), wall_cells(grid), open_cells(grid)
    for side, step in (("left", -1), ("right", 1)):
        parts[f"end_{side}"] = parts["top"] & parts[side] & _moved(is_open, step, 1)
        parts[f"foot_{side}"] = parts["top"] & _moved(wall, step, 1)
    return parts


def part_pixels(state: State, part: str, cells: Cells) -> Mask:
    """Pixels (64, 64) of a part on these cells [y, x], as far as they can show, whatever stands in front."""
    middle = np.array([int(state.agent["y"]), int(state.agent["x"])])
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    for y, x in np.argwhere(cells):
        if (abs(np.array([y, x]) - middle) <= CELLS // 2 + 2).all():
            mask |= _face(state, part, x, y) if part in SIDES else _corner(state, part.partition("_")[2], x, y)
    return mask


def parts_of_walls(state: State, wall: Mask) -> dict[str, Mask]:
    """Masks (64, 64) of faces, ends and feet by name, of a state whose visible `wall` pixels are (64, 64)."""
    return {part: part_pixels(state, part, cells) & wall for part, cells in part_cells(state.grid).items()}
