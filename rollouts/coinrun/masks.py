"""Pixel-exact masks of what is in a frame, and frames with things taken out, by editing the game's state.

A pixel belongs to the front object that contributes to it at all: half-transparent edges and black pixels of a sprite
included. An object contributes where drawing it changes the pixel on at least one of several backdrops."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from rollouts.coinrun.concepts import enemies_by_direction, screen_edge
from rollouts.coinrun.edits import edits
from rollouts.coinrun.faces import parts_of_walls
from rollouts.coinrun.state import (
    BACKGROUNDS,
    COIN,
    CRATE,
    ENEMY,
    LAVA,
    LAVA_TOP,
    SAW,
    SPACE,
    TRAIL,
    WALL,
    WALL_THEMES,
    WALL_TOP,
    WORLD_SIZE,
    check,
    parse,
)
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions, make_env
from rollouts.masks import Frame, Mask, Masks, Thing
from rollouts.procgen_state import PLAYER, State, assemble

_ENTITIES = {PLAYER: "agent", SAW: "saw", ENEMY: "enemy", CRATE: "crate", TRAIL: "trail"}
_CELLS = {COIN: "coin", LAVA: "lava", LAVA_TOP: "lava", WALL: "wall", WALL_TOP: "wall"}
Footprint = tuple[str, int | tuple[int, int] | None, Mask]
"""Under which name something is drawn, its place as in `Thing`, and the pixels that it changes."""
_VIEW_CELLS = 8
"""Cells from the player to the edge of what is drawn, rounded up (13 are visible, and one more on each side)."""


def _black(state: State) -> State:
    black = state.copy()
    black.game["use_backgrounds"] = 0
    return black


def _on_backdrops(bare: State) -> list[State]:
    """The empty scene on its own background, on black, and on another background."""
    return [bare, _black(bare), with_other_background(bare)]


def with_other_background(state: State) -> State:
    """The same state drawn with another background picture, half the list away."""
    other = state.copy()
    other.world["background_index"] = (int(state.world["background_index"]) + BACKGROUNDS // 2) % BACKGROUNDS
    return other


def without(state: State, objects: Iterable[Thing]) -> State:
    """The state with these objects hidden; what they covered shows, and the game's own course is not changed."""
    hidden = state.copy()
    for thing in objects:
        if thing.place is None:
            hidden = without_drawn(hidden, (thing.drawn,))
        elif isinstance(thing.place, tuple):
            hidden.grid[thing.place[1], thing.place[0]] = SPACE
        else:
            hidden.entities["alpha"][thing.place] = 0
    return hidden


def without_drawn(state: State, names: Iterable[str]) -> State:
    """The state with everything hidden that is drawn under these names, what is behind others included."""
    names = tuple(names)
    hidden = state.copy()
    entities = [kind for kind, name in _ENTITIES.items() if name in names]
    cells = [value for value, name in _CELLS.items() if name in names]
    hidden.entities["alpha"][np.isin(state.entities["type"], entities)] = 0
    hidden.grid[np.isin(state.grid, cells)] = SPACE
    if "wall" in names:
        hidden.view["out_of_bounds_object"] = SPACE
    if "velocity" in names:
        hidden.game["paint_vel_info"] = 0
    return hidden


def without_objects(state: State) -> State:
    """The state with everything hidden but the background."""
    return without_drawn(state, COINRUN.drawn)


class CoinRunRenderer:
    """CoinRun's `rollouts.masks.Renderer`."""

    def __init__(self) -> None:
        self._env = make_env(1, EnvOptions(num_levels=1), seed=0, threads=0)

    parse = staticmethod(parse)
    without, without_drawn = staticmethod(without), staticmethod(without_drawn)
    with_other_background = staticmethod(with_other_background)

    def render(self, state: State) -> Frame:
        """The frame (64, 64, 3) that the game shows in this state. Raises `StateError` where it could not."""
        check(state)
        return self._draw(state)

    def _draw(self, state: State) -> Frame:
        self._env.callmethod("set_state", [assemble(state)])
        frame: Frame = self._env.observe()[1]["rgb"][0].copy()
        return frame

    def masks(self, state: State) -> Masks:
        """Every object that shows in this state's frame."""
        check(state)
        footprints = self._grid_footprints(state) + self._entity_footprints(state) + self._velocity_footprint(state)
        taken = np.zeros((64, 64), dtype=bool)
        things = []
        for name, place, footprint in reversed(footprints):
            visible = footprint & ~taken
            taken |= footprint
            if visible.any():
                things.append(Thing(name, place, visible))
        walls = [thing.mask for thing in things if thing.drawn == "wall"]
        others = [thing for thing in things if thing.drawn != "wall"][::-1]
        wall = [Thing("wall", None, np.logical_or.reduce(walls))] if walls else []
        return Masks((*wall, *others), COINRUN.drawn)

    @staticmethod
    def regions(state: State, masks: Masks) -> dict[str, Mask]:
        """Parts of walls, enemies by where they walk, and the edge of the screen, by name (64, 64)."""
        wall = masks.drawn[COINRUN.drawn.index("wall")]
        return parts_of_walls(state, wall) | enemies_by_direction(state, masks) | {"screen_edge": screen_edge()}

    @staticmethod
    def edits(state: State, region: str, masks: Masks) -> Iterable[tuple[State, Mask]]:
        """Levels in which a piece of a part of walls is elsewhere, and the pixels (64, 64) that it was seen in."""
        return edits(state, region, masks.drawn[COINRUN.drawn.index("wall")])

    def _grid_footprints(self, state: State) -> list[Footprint]:
        """Coins, lava and walls, in the order in which they are drawn: by column, then upwards.

        Cells overlap by a fraction of a pixel, so what touches a coin or lava is drawn cell by cell; all other walls
        come first, together.
        """
        bare = without_objects(state)
        scenes = _on_backdrops(bare)
        backdrops = [self._draw(scene) for scene in scenes]

        def footprint(grid: NDArray[np.int32], outside: int) -> Mask:
            changed = np.zeros((64, 64), dtype=bool)
            for scene, backdrop in zip(scenes, backdrops, strict=True):
                drawn = scene.copy()
                drawn.grid[:] = grid
                drawn.view["out_of_bounds_object"] = outside
                changed |= (self._draw(drawn) != backdrop).any(axis=-1)
            return changed

        x0, y0 = int(state.agent["x"]), int(state.agent["y"])
        columns = range(max(0, x0 - _VIEW_CELLS), min(WORLD_SIZE, x0 + _VIEW_CELLS + 1))
        rows = range(max(0, y0 - _VIEW_CELLS), min(WORLD_SIZE, y0 + _VIEW_CELLS + 1))
        special = {(x, y) for x in columns for y in rows if _CELLS.get(int(state.grid[y, x])) in ("coin", "lava")}
        single = {
            (x + dx, y + dy)
            for x, y in special
            for dx in (-1, 0, 1)
            for dy in (-1, 0, 1)
            if 0 <= x + dx < WORLD_SIZE and 0 <= y + dy < WORLD_SIZE and int(state.grid[y + dy, x + dx]) in _CELLS
        }
        rest = state.grid.copy()
        for x, y in single:
            rest[y, x] = SPACE
        footprints: list[Footprint] = [("wall", None, footprint(rest, int(state.view["out_of_bounds_object"])))]
        for x, y in sorted(single):
            grid = np.full_like(state.grid, SPACE)
            grid[y, x] = state.grid[y, x]
            kind = _CELLS[int(state.grid[y, x])]
            footprints.append((kind, (x, y) if kind != "wall" else None, footprint(grid, SPACE)))
        return footprints

    def _entity_footprints(self, state: State) -> list[Footprint]:
        """Entities in the order in which they are drawn: by layer, then as listed."""
        bare = without_objects(state)
        full_of_walls = bare.copy()
        full_of_walls.grid[:] = WALL
        full_of_walls.view["out_of_bounds_object"] = WALL
        other_walls = full_of_walls.copy()
        other_walls.own["wall_theme"] = (int(bare.own["wall_theme"]) + 2) % WALL_THEMES
        scenes = [bare, _black(bare), full_of_walls, other_walls]
        backdrops = [self._draw(scene) for scene in scenes]
        footprints: list[Footprint] = []
        for index in np.argsort(state.entities["render_z"], kind="stable"):
            entity = state.entities[index]
            near = abs(entity["x"] - state.agent["x"]) < _VIEW_CELLS + entity["rx"]
            near = near and abs(entity["y"] - state.agent["y"]) < _VIEW_CELLS + 2 * entity["ry"]
            if not near or entity["alpha"] == 0:
                continue
            footprint = np.zeros((64, 64), dtype=bool)
            for scene, backdrop in zip(scenes, backdrops, strict=True):
                scene.entities["alpha"][index] = entity["alpha"]
                footprint |= (self._draw(scene) != backdrop).any(axis=-1)
                scene.entities["alpha"][index] = 0
            footprints.append((_ENTITIES[int(entity["type"])], int(index), footprint))
        return footprints

    def _velocity_footprint(self, state: State) -> list[Footprint]:
        """The squares that show the agent's velocity, in front of everything; they are drawn opaque."""
        if not state.game["paint_vel_info"]:
            return []
        black = _black(without_objects(state))
        squares = []
        for speed in (-1.0, 1.0):
            scene = black.copy()
            scene.game["paint_vel_info"] = 1
            scene.agent["vx"] = speed * scene.world["maxspeed"]
            scene.agent["vy"] = speed * scene.world["max_jump"]
            squares.append(self._draw(scene))
        return [("velocity", None, (squares[0] != squares[1]).any(axis=-1))]
