"""CoinRun's state: procgen's shared part, CoinRun's own, and what CoinRun can draw and go on from."""

import numpy as np

from rollouts.procgen_state import (
    END_OF_BUFFER,
    PLAYER,
    Fields,
    State,
    StateError,
    assemble,
    check_finite,
    check_generator,
    check_range,
    layout,
    read,
)

NAME = "coinrun"
COIN, SAW, ENEMY, CRATE, TRAIL = 1, 2, 5, 20, 59
WALL, WALL_TOP, LAVA, LAVA_TOP, ENEMY_BARRIER, SPACE = 15, 16, 17, 18, 19, 100
WORLD_SIZE = 64
"""A level is 64 x 64 cells."""
BACKGROUNDS = 62
WALL_THEMES = 6

DRAWN: dict[int, tuple[tuple[int, ...], int]] = {
    PLAYER: ((PLAYER,), 5),
    SAW: ((2, 3), 1),
    ENEMY: ((6, 7), 9),
    CRATE: ((CRATE,), 4),
    TRAIL: ((TRAIL,), 1),
}
"""For each type of entity the images it can have and the number of themes those come in."""
_PICTURES = {
    (kind, image, theme) for kind, (images, themes) in DRAWN.items() for image in images for theme in range(themes)
}
GRID_VALUES = (COIN, WALL, WALL_TOP, LAVA, LAVA_TOP, ENEMY_BARRIER, SPACE)
OWN = layout(
    ("f4", "last_agent_y"),
    ("i4", "wall_theme has_support facing_right is_on_crate"),
    ("f4", "gravity air_control"),
    ("i4", "end_of_buffer"),
)

_FLAGS = {
    "game": """paint_vel_info use_monochrome_assets restrict_themes use_backgrounds center_agent distribution_mode
    use_sequential_levels""",
    "entities": "will_erase collides_with_entities is_reflected use_abs_coords smart_step avoids_collisions auto_erase",
    "world": "random_agent_start has_useful_vel_info",
    "own": "has_support facing_right is_on_crate",
}
_FIXED = {
    "game": {"use_generated_assets": 0, "grid_step": 0},
    "episode": {"is_waiting_for_step": 0, "grid_size": WORLD_SIZE**2},
    "world": {"use_procgen_background": 0, "bg_tile_ratio": 0},
    "view": {
        "main_width": WORLD_SIZE,
        "main_height": WORLD_SIZE,
        "visibility": 13,
        "min_visibility": 0,
        "grid_width": WORLD_SIZE,
        "grid_height": WORLD_SIZE,
        "grid_cells": WORLD_SIZE**2,
    },
    "own": {"end_of_buffer": END_OF_BUFFER},
}


def parse(data: bytes) -> State:
    """Read a state; `serialize` gives back the same bytes.

    Raises `StateError` as `procgen_state.read` does, and for any value that CoinRun could not draw or go on from.
    """
    state = read(data, NAME, OWN)
    check(state)
    return state


def serialize(state: State) -> bytes:
    """The bytes that procgen's `set_state` takes. Raises `StateError` for a state that CoinRun could not use."""
    check(state)
    return assemble(state)


def check(state: State) -> None:
    """Raise `StateError` unless CoinRun can draw this state and play on from it."""
    for part, names in _FLAGS.items():
        values = getattr(state, part)
        for name in names.split():
            if ((values[name] != 0) & (values[name] != 1)).any():
                raise StateError(f"{name} must be 0 or 1 everywhere, and is {np.unique(values[name]).tolist()}.")
    for part in _FIXED:
        _check_fixed(part, getattr(state, part))
    for part in ("episode", "entities", "world", "view", "own"):
        check_finite(getattr(state, part))
    for name in ("level_seed_rand_gen", "rand_gen", "asset_rand_gen"):
        check_generator(getattr(state, name), name)
    _check_entities(state.entities)
    if state.grid.shape != (WORLD_SIZE, WORLD_SIZE) or state.grid.dtype != np.int32:
        raise StateError(f"The grid is {state.grid.shape} {state.grid.dtype}; it must be (64, 64) int32.")
    strange = state.grid[~_KNOWN_CELLS[np.clip(state.grid, -1, len(_KNOWN_CELLS) - 1)]]
    if strange.size:
        raise StateError(f"The grid holds {int(strange[0])}, which is nothing in CoinRun.")
    check_range(state.view, "out_of_bounds_object", WALL, SPACE)
    check_range(state.world, "background_index", 0, BACKGROUNDS - 1)
    check_range(state.world, "bg_pct_x", 0, 1)
    check_range(state.own, "wall_theme", 0, WALL_THEMES - 1)
    check_range(state.world, "maxspeed", 1e-3, 100)
    check_range(state.world, "max_jump", 1e-3, 100)
    check_range(state.game, "level_seed_low", 0, int(state.game["level_seed_high"]) - 1)
    if int(state.view["out_of_bounds_object"]) not in (WALL, WALL_TOP, SPACE):
        raise StateError(f"out_of_bounds_object is {state.view['out_of_bounds_object']}; it must be a wall or space.")


_KNOWN_CELLS = np.zeros(SPACE + 2, dtype=bool)  # the last entry stands for everything above and below
_KNOWN_CELLS[list(GRID_VALUES)] = True


def _check_fixed(part: str, values: Fields) -> None:
    for name, expected in _FIXED.get(part, {}).items():
        if values[name] != expected:
            raise StateError(f"{name} is {values[name]}; in a CoinRun state it is {expected}.")


def _check_entities(entities: Fields) -> None:
    players = int((entities["type"] == PLAYER).sum())
    if players != 1:
        raise StateError(f"The state has {players} players; CoinRun has one.")
    pictures = zip(*(entities[name].tolist() for name in ("type", "image_type", "image_theme")), strict=True)
    for kind, image, theme in set(pictures) - _PICTURES:
        if kind not in DRAWN:
            raise StateError(f"The state has an entity of type {kind}, which CoinRun does not have.")
        raise StateError(f"An entity of type {kind} has image {image} in theme {theme}, which does not exist.")
    for name, low, high in (
        ("x", -1e3, 1e3),
        ("y", -1e3, 1e3),
        ("rx", 0, 50),
        ("ry", 0, 50),
        ("alpha", 0, 1),
        ("render_z", -1, 1),
    ):
        if ((entities[name] < low) | (entities[name] > high)).any():
            raise StateError(f"An entity's {name} is outside [{low:g}, {high:g}].")
