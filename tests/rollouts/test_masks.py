"""Masks are exact: nothing outside them changes when the objects go, and no pixel belongs to two."""

import numpy as np
import pytest

from rollouts.coinrun.concepts import surface
from rollouts.coinrun.masks import (
    CoinRunRenderer,
    with_other_background,
    without,
    without_drawn,
    without_objects,
)
from rollouts.coinrun.state import COIN, CRATE, ENEMY, LAVA_TOP, SAW, TRAIL, WALL, WALL_TOP, parse
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.masks import dilate
from rollouts.procgen_state import State
from scenes import HARD, empty_scene, moved, played, put


@pytest.fixture(scope="module")
def renderer() -> CoinRunRenderer:
    return CoinRunRenderer()


def check_scene(renderer: CoinRunRenderer, state: State) -> np.ndarray:
    """The exactness that every scene must have; returns the class masks."""
    frame = renderer.render(state)
    masks = renderer.masks(state)
    classes = masks.drawn
    assert classes.sum(axis=0).max() <= 1, "two classes share a pixel"
    assert sum(thing.mask.sum() for thing in masks.objects) == classes.sum(), "two objects share a pixel"
    background = renderer.render(without_objects(state))
    assert np.array_equal(frame[~masks.union], background[~masks.union]), "an object shows outside the union"
    return classes


def check_play(renderer: CoinRunRenderer, options: EnvOptions, environments: int, samples: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    seen = np.zeros(len(COINRUN.drawn), dtype=int)
    for data, frame in played(options, environments, every=15, samples=samples, seed=seed):
        state = parse(data)
        assert np.array_equal(renderer.render(state), frame), "the parsed state draws another frame"
        seen += check_scene(renderer, state).any(axis=(1, 2))
        seen += check_scene(renderer, moved(state, generator)).any(axis=(1, 2))
    expected = {"coin", "saw", "crate", "wall", "agent"} | ({"enemy", "trail"} if options == HARD else set())
    assert expected <= {name for name, count in zip(COINRUN.drawn, seen, strict=True) if count}


@pytest.mark.parametrize(
    "options", [HARD, EnvOptions("easy"), EnvOptions(paint_velocity=False)], ids=["hard", "easy", "no velocity"]
)
def test_masks_of_play_are_exact(renderer: CoinRunRenderer, options: EnvOptions) -> None:
    check_play(renderer, options, environments=16, samples=5, seed=2)


@pytest.mark.slow
def test_masks_of_2000_states_of_play_are_exact(renderer: CoinRunRenderer) -> None:
    check_play(renderer, HARD, environments=64, samples=32, seed=5)


def find(renderer: CoinRunRenderer, state: State, kind: str) -> np.ndarray:
    return renderer.masks(state).drawn[COINRUN.drawn.index(kind)]


def test_an_empty_scene_shows_the_agent_only(renderer: CoinRunRenderer) -> None:
    scene = empty_scene()
    classes = check_scene(renderer, scene)
    frame = renderer.render(scene)
    assert {name for name, mask in zip(COINRUN.drawn, classes, strict=True) if mask.any()} == {"agent"}
    agent = classes[COINRUN.drawn.index("agent")]
    assert np.array_equal(agent | (frame > 0).any(axis=-1), agent)
    rows, columns = np.nonzero(agent)
    assert (rows.min() >= 26) & (rows.max() <= 37) & (columns.min() >= 27) & (columns.max() <= 36)


def test_each_kind_of_object_is_where_it_was_put(renderer: CoinRunRenderer) -> None:
    """A cell is 64/13 pixels; an object three cells to the right of the player is about 15 pixels to its right."""
    for kind, name in ((SAW, "saw"), (ENEMY, "enemy"), (CRATE, "crate"), (TRAIL, "trail")):
        scene = empty_scene()
        put(scene, kind, 35, 32)
        rows, columns = np.nonzero(find(renderer, scene, name))
        assert abs(columns.mean() - (31.5 + 3 * 64 / 13)) < 1.5
        assert 5 <= len(rows) <= 36, "a cell has 24 pixels, a saw's sprite covers 5 of them"
    for value, name in ((COIN, "coin"), (LAVA_TOP, "lava"), (WALL, "wall"), (WALL_TOP, "wall")):
        scene = empty_scene()
        scene.grid[32, 35] = value
        rows, columns = np.nonzero(find(renderer, scene, name))
        assert abs(columns.mean() - (31.5 + 3.5 * 64 / 13)) < 1.5
        assert 5 <= len(rows) <= 36


def test_the_front_object_owns_the_pixel(renderer: CoinRunRenderer) -> None:
    """An enemy before a crate: alone it has the same mask, and the crate loses those pixels and no others."""
    alone, behind, both = empty_scene(), empty_scene(), empty_scene()
    put(alone, ENEMY, 35, 32)
    put(behind, CRATE, 35, 32)
    put(both, CRATE, 35, 32)
    put(both, ENEMY, 35, 32)
    enemy, crate = find(renderer, alone, "enemy"), find(renderer, behind, "crate")
    assert (enemy & crate).any()
    assert np.array_equal(find(renderer, both, "enemy"), enemy)
    assert np.array_equal(find(renderer, both, "crate"), crate & ~enemy)
    # The list's order does not matter where the layers differ: an enemy is drawn after every crate.
    swapped = both.copy()
    swapped.entities[[1, 2]] = swapped.entities[[2, 1]]
    assert np.array_equal(renderer.render(swapped), renderer.render(both))
    assert np.array_equal(find(renderer, swapped, "enemy"), enemy)


def test_half_transparent_pixels_count(renderer: CoinRunRenderer) -> None:
    """A trail is drawn at half opacity and fainter; it owns the pixels that it tints."""
    solid, faint = empty_scene(), empty_scene()
    for scene, alpha in ((solid, 1.0), (faint, 0.1)):
        scene.game["use_backgrounds"] = 1
        put(scene, TRAIL, 35, 32, alpha)
    mask = find(renderer, solid, "trail")
    assert mask.any()
    # At a tenth of the opacity only pixels that are hardly covered can fall under the rounding to 1/255.
    fainter = find(renderer, faint, "trail")
    assert (fainter & ~mask).sum() == 0
    assert fainter.sum() >= 0.8 * mask.sum()


def test_pixels_of_the_colour_behind_them_count(renderer: CoinRunRenderer) -> None:
    """A crate exactly in front of the same crate cannot be told from it, and is the one that is in front.

    (Entities of CoinRun have no black pixel at this size: 9 offsets of all 19 sprites were looked through.)
    """
    scene = empty_scene()
    back, front = put(scene, CRATE, 35, 32), put(scene, CRATE, 35, 32)
    crates = [thing for thing in renderer.masks(scene).objects if thing.drawn == "crate"]
    assert [thing.place for thing in crates] == [front] != [back]
    assert np.array_equal(renderer.render(scene), renderer.render(without(scene, crates)))
    assert not np.array_equal(renderer.render(scene), renderer.render(without_drawn(scene, ["crate"])))


@pytest.mark.parametrize("kind", [SAW, ENEMY, CRATE])
def test_a_mask_does_not_depend_on_what_is_behind(renderer: CoinRunRenderer, kind: int) -> None:
    name = {SAW: "saw", ENEMY: "enemy", CRATE: "crate"}[kind]
    for theme in range({SAW: 1, ENEMY: 9, CRATE: 4}[kind]):
        for offset in (0, 0.3, 0.7):
            scene = empty_scene()
            scene.agent["x"] += offset
            put(scene, kind, 35, 32, theme=theme)
            mask = find(renderer, scene, name)
            for background in (3, 20, 45):
                scene.game["use_backgrounds"] = 1
                scene.world["background_index"] = background
                assert np.array_equal(find(renderer, scene, name), mask)
            scene.grid[:] = WALL
            assert np.array_equal(find(renderer, scene, name), mask)


def test_removing_an_object_changes_its_pixels_only(renderer: CoinRunRenderer) -> None:
    generator = np.random.default_rng(0)
    removed = 0
    for data, _ in played(HARD, environments=8, every=30, samples=3, seed=4):
        state = moved(parse(data), generator)
        frame, masks = renderer.render(state), renderer.masks(state)
        for index, thing in enumerate(masks.objects):
            changed = (renderer.render(without(state, [thing])) != frame).any(axis=-1)
            in_front = np.logical_or.reduce([other.mask for other in masks.objects[index:]])
            assert not (changed & ~in_front).any(), "only half-transparent objects in front show what is behind"
            removed += 1
        for name, mask in zip(COINRUN.drawn, masks.drawn, strict=True):
            changed = (renderer.render(without_drawn(state, [name])) != frame).any(axis=-1)
            in_front = np.logical_or.reduce([thing.mask for thing in masks.objects])
            assert not (changed & ~in_front).any()
            assert changed.any() or not mask.any()
    assert removed > 80


def test_coins_and_lava_beside_walls(renderer: CoinRunRenderer) -> None:
    """Cells overlap by a fraction of a pixel; the one drawn later (right of, then above) is in front."""
    for value, name in ((COIN, "coin"), (LAVA_TOP, "lava")):
        for offset in np.linspace(0, 1, 6):
            scene = empty_scene()
            scene.agent["x"] += offset
            scene.agent["y"] += offset / 2
            scene.grid[30:35, 33:38] = WALL
            scene.grid[32, 35] = value
            check_scene(renderer, scene)
            wall = find(renderer, scene, "wall")
            special = find(renderer, scene, name)
            alone = scene.copy()
            alone.grid[scene.grid == WALL] = 100
            assert not (special & ~find(renderer, alone, name)).any()
            assert (special | wall)[find(renderer, alone, name)].all()


def test_velocity_is_two_squares_in_the_corner(renderer: CoinRunRenderer) -> None:
    state = parse(played(HARD, environments=1, every=5, samples=1)[0][0])
    mask = find(renderer, state, "velocity")
    expected = np.zeros((64, 64), dtype=bool)
    expected[:13, :26] = True  # two squares of 0.2 x 64 = 12.8 pixels
    assert np.array_equal(mask, expected)


def test_another_background_changes_the_background_only(renderer: CoinRunRenderer) -> None:
    state = parse(played(HARD, environments=1, every=5, samples=1)[0][0])
    frame, other = renderer.render(state), renderer.render(with_other_background(state))
    union = renderer.masks(state).union
    assert (frame != other).any(axis=-1)[~union].mean() > 0.9
    wall = find(renderer, state, "wall")
    assert np.array_equal(frame[wall], other[wall])


def test_surface_and_dilation_by_hand() -> None:
    wall = np.zeros((64, 64), dtype=bool)
    wall[20:, :] = True
    expected = np.zeros_like(wall)
    expected[20:22] = True
    assert np.array_equal(surface(wall), expected), "the frame's border is no surface"
    point = np.zeros((3, 64, 64), dtype=bool)
    point[1, 10, 63] = True
    wide = dilate(point, 2)
    assert wide.sum() == 5 * 3
    assert wide[1, 8:13, 61:64].all()
    assert np.array_equal(dilate(point, 0), point)
