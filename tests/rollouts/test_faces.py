"""Parts of walls: the camera is the game's, and each part lies where the grid has it."""

import numpy as np
import pytest

from rollouts.coinrun.faces import parts_of_walls, wall_cells
from rollouts.coinrun.masks import CoinRunRenderer, without_objects
from rollouts.coinrun.state import COIN, LAVA_TOP, WALL, WALL_TOP, parse
from scenes import HARD, cell_pixels, empty_scene, moved, played


@pytest.fixture(scope="module")
def renderer() -> CoinRunRenderer:
    return CoinRunRenderer()


def test_cells_are_where_the_game_draws_them(renderer: CoinRunRenderer) -> None:
    """Each of a hundred single wall cells, wherever the agent stands, changes these pixels and no others."""
    generator = np.random.default_rng(0)
    for _ in range(100):
        scene = empty_scene()
        scene.agent["x"], scene.agent["y"] = generator.uniform(8, 56, 2)
        scene.view["out_of_bounds_object"] = 100
        bare = without_objects(scene)
        x, y = (int(scene.agent[axis]) + int(generator.integers(-7, 8)) for axis in "xy")
        filled = bare.copy()
        filled.grid[y, x] = WALL
        changed = (renderer.render(filled) != renderer.render(bare)).any(axis=-1)
        assert np.array_equal(changed, cell_pixels(scene, x, y))


def test_the_walls_of_play_are_their_cells(renderer: CoinRunRenderer) -> None:
    """Where nothing stands in front, wall pixels are those of wall cells, inside the level."""
    generator = np.random.default_rng(1)
    for data, _ in played(HARD, 4, every=15, samples=8, seed=5):
        scene = moved(parse(data), generator)
        masks = renderer.masks(scene).drawn
        names = ("coin", "saw", "enemy", "trail", "crate", "lava", "wall", "agent", "velocity")
        others = masks[[names.index(name) for name in names if name != "wall"]].any(axis=0)
        inside = np.zeros((64, 64), dtype=bool)
        cells = np.zeros((64, 64), dtype=bool)
        x0, y0 = int(scene.agent["x"]), int(scene.agent["y"])
        walls = wall_cells(scene.grid)
        for x in range(max(0, x0 - 9), min(64, x0 + 10)):
            for y in range(max(0, y0 - 9), min(64, y0 + 10)):
                inside |= cell_pixels(scene, x, y)
                if walls[y, x]:
                    cells |= cell_pixels(scene, x, y)
        wall = masks[names.index("wall")]
        assert not (wall & inside & ~cells & ~others).any()
        assert (cells & ~others & ~wall).sum() <= 0.01 * cells.sum()


def test_each_part_lies_where_the_grid_has_it(renderer: CoinRunRenderer) -> None:
    scene = empty_scene()
    scene.agent["x"] = scene.agent["y"] = 32.5  # the agent's cell has its corners 2.46 pixels from the middle
    scene.grid[20:31, 20:46] = WALL
    scene.grid[30, 20:46] = WALL_TOP
    scene.grid[31, 35:46] = WALL_TOP
    scene.grid[31, 36:46] = WALL
    scene.grid[32, 36:46] = WALL_TOP
    wall = renderer.masks(scene).drawn[6]
    parts = parts_of_walls(scene, wall)
    unit = 64 / 13

    def pixel(x: float, y: float) -> list[float]:
        return [32 - (y - 32.5) * unit, 32 + (x - 32.5) * unit]

    assert not parts["under"].any(), "nothing is open below these walls within the frame"
    # Two steps up to the right: two faces to the left, feet at their bottoms, ends at their tops.
    columns = np.flatnonzero(parts["left"].any(axis=0)) + 0.5
    assert all(
        min(column - pixel(x, 0)[1] for x in (35, 36) if column > pixel(x, 0)[1] - 0.2) <= 2 for column in columns
    )
    assert not parts["right"].any()
    rows = np.flatnonzero(parts["top"].any(axis=1)) + 0.5
    assert all(min(row - pixel(0, y)[0] for y in (31, 32, 33) if row > pixel(0, y)[0] - 0.2) <= 2 for row in rows)
    rows, columns = np.nonzero(parts["foot_right"])
    assert abs(columns + 0.5 - pixel(35, 0)[1]).min() <= 1
    assert abs(columns + 0.5 - pixel(36, 0)[1]).min() <= 1
    assert not parts["foot_left"].any()
    rows, columns = np.nonzero(parts["end_left"])
    for x, y in ((35, 32), (36, 33)):
        near = (abs(columns + 0.5 - pixel(x, y)[1]) <= 3) & (abs(rows + 0.5 - pixel(x, y)[0]) <= 3)
        assert 9 <= near.sum() <= 16, "the quarter of 6 by 6 pixels that is wall"
    assert near.sum() < len(rows)
    everything = np.any(list(parts.values()), axis=0)
    assert not (everything & ~wall).any()


def test_the_coin_is_open_and_lava_is_not(renderer: CoinRunRenderer) -> None:
    scene = empty_scene()
    scene.grid[31, 30:36] = WALL_TOP
    wall = renderer.masks(scene).drawn[6]
    whole = parts_of_walls(scene, wall)["top"].sum()
    for value, left in ((COIN, whole), (LAVA_TOP, whole * 5 / 6)):
        scene.grid[32, 33] = value
        tops = parts_of_walls(scene, wall)["top"].sum()
        assert abs(tops - left) <= 2
