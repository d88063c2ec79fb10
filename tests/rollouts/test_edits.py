"""Edits of walls: a level that could be one, in which nothing but the piece has moved."""

from collections import Counter

import numpy as np
import pytest

from rollouts.coinrun.edits import CELLS_MOVED, edits, move, runs
from rollouts.coinrun.faces import face_cells, part_cells, parts_of_walls, wall_cells
from rollouts.coinrun.masks import CoinRunRenderer
from rollouts.coinrun.state import COIN, LAVA, LAVA_TOP, SAW, SPACE, WALL, WALL_TOP, check, parse
from rollouts.coinrun.table import COINRUN
from rollouts.masks import dilate
from rollouts.procgen_state import State
from scenes import HARD, cell_pixels, empty_scene, played, put

WALLS = COINRUN.drawn.index("wall")


@pytest.fixture(scope="module")
def renderer() -> CoinRunRenderer:
    return CoinRunRenderer()


def platform() -> State:
    """A block of 6 by 6 cells, its upper left corner at (30, 32)."""
    scene = empty_scene()
    scene.grid[27:33, 30:36] = WALL
    scene.grid[32, 30:36] = WALL_TOP
    scene.agent["x"], scene.agent["y"] = 27.5, 37.5
    return scene


def test_an_edit_of_play_moves_its_piece_and_nothing_else(renderer: CoinRunRenderer) -> None:
    seen: Counter[str] = Counter()
    for data, frame in played(HARD, 8, every=15, samples=5, seed=7):
        state = parse(data)
        wall = renderer.masks(state).drawn[WALLS]
        for part in part_cells(state.grid):
            for edited, where in list(edits(state, part, wall))[:2]:
                seen[part] += 1
                check(edited)
                changed = edited.grid != state.grid
                was, now = wall_cells(state.grid), wall_cells(edited.grid)
                assert not np.isin(state.grid[changed], (COIN, LAVA, LAVA_TOP)).any()
                assert np.array_equal(edited.entities, state.entities)
                for entity in state.entities[state.entities["alpha"] > 0]:
                    assert not (was != now)[int(entity["y"]), int(entity["x"])]
                pixels = np.zeros((64, 64), dtype=bool)
                for y, x in np.argwhere(changed):
                    pixels |= cell_pixels(state, int(x), int(y))
                drawn = renderer.render(edited)
                assert not ((drawn != frame).any(axis=-1) & ~dilate(pixels, 1)).any()
                after = parts_of_walls(edited, renderer.masks(edited).drawn[WALLS])[part]
                assert where.any()
                assert not (after & where).any(), "the piece is where it was"
                assert not (where & ~wall).any()
    assert {"top", "left", "right", "end_left", "foot_left", "foot_right"} <= set(seen)


def test_a_face_is_moved_both_ways_by_two_cells() -> None:
    scene = platform()
    (run,) = runs(face_cells(scene.grid)["left"], "left")
    assert run.tolist() == [[y, 30] for y in range(27, 33)]
    for outwards, column in ((True, 30 - CELLS_MOVED), (False, 30 + CELLS_MOVED)):
        moved = move(scene, "left", run, outwards)
        assert moved is not None
        assert np.argwhere(face_cells(moved.grid)["left"]).tolist() == [[y, column] for y in range(27, 33)]
        assert set(moved.grid[32, column:36]) == {WALL_TOP}
        assert set(moved.grid[27:32, column:36].ravel()) == {WALL}
        assert (moved.grid[27:33, 28:column] == SPACE).all()
    (run,) = runs(face_cells(scene.grid)["top"], "top")
    raised, lowered = (move(scene, "top", run, outwards) for outwards in (True, False))
    assert raised is not None
    assert lowered is not None
    assert set(raised.grid[32, 30:36]) == {WALL}, "what was the top is inside now"
    assert set(raised.grid[34, 30:36]) == set(lowered.grid[30, 30:36]) == {WALL_TOP}


def test_an_edit_that_would_touch_something_is_not_made() -> None:
    for touch in ("saw", "coin", "lava", "narrow", "thin"):
        scene = platform()
        if touch == "saw":
            put(scene, SAW, 28.5, 26.5)
        elif touch == "narrow":
            scene.grid[29, 27] = WALL
        elif touch == "thin":
            scene.grid[29, 32] = SPACE
        else:
            scene.grid[33, 29] = {"coin": COIN, "lava": LAVA_TOP}[touch]
        (run,) = (run for run in runs(face_cells(scene.grid)["left"], "left") if run[0].tolist() == [27, 30])
        made = {outwards: move(scene, "left", run, outwards) is not None for outwards in (True, False)}
        refused = {"saw": {True}, "narrow": {True}, "thin": {False}}.get(touch, {True, False})
        assert {outwards for outwards, is_made in made.items() if not is_made} == refused, touch
