"""CoinRun's state: procgen's shared part, CoinRun's own, and what CoinRun can draw and go on from."""

import numpy as np

from rollouts.procgen_state import (
    END_OF_BUFFER,
    PLAYER,
    Fields,
    State,
    StateError,
    assemble,
    check_generator,
    layout,
    read,
)
from rollouts.state_ranges import EntityRanges, Ranges, check_fields, out_of_range

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

FLAG = (0, 1)
SPEED = (-5, 5)
"""Cells a step, in play at most 1.5. A moving entity takes 4 steps a cell, and looks at all others in each."""
PLACE = (-1e3, 1e3)
"""Cells, in play between 0 and 64; what leaves the level is taken away."""
LARGEST = 1.0
"""Half the width of an entity in cells, in play at most 0.58. A step looks at each cell that an entity covers."""
TRAIL_STEPS = 8
"""A trail is taken away after so many steps, in which it grows."""
MOST_OF_A_TYPE = 64
"""Entities of a type, and trails of an age; in play at most 35, in five sections with a pit of seven enemies each."""
MOST_CRATES_AT_A_PLACE = 3
"""Crates less than a cell apart, in play 2. Each pushes what falls on it into the others, five times over."""

RANGES: dict[str, Ranges] = {
    "game": {
        "paint_vel_info": FLAG,
        "use_generated_assets": (0, 0),
        "use_monochrome_assets": FLAG,
        "restrict_themes": FLAG,
        "use_backgrounds": FLAG,
        "center_agent": (1, 1),  # otherwise the game draws with another `visibility`, and leaves it behind
        "distribution_mode": FLAG,
        "use_sequential_levels": FLAG,
        "grid_step": (0, 0),
    },
    "episode": {
        "timeout": (1, 10_000),  # in play 1,000
        "cur_time": (0, 10_000),
        "episodes_remaining": (0, 0),  # otherwise the same level comes so many times
        "default_action": (0, 14),
        "is_waiting_for_step": (0, 0),
        "grid_size": (WORLD_SIZE**2, WORLD_SIZE**2),
    },
    "world": {
        "use_procgen_background": (0, 0),
        "background_index": (0, BACKGROUNDS - 1),
        "bg_tile_ratio": (0, 0),
        "bg_pct_x": (0, 1),
        "mixrate": (0, 1),  # in play 0.2; above 1 speeds grow from step to step
        "maxspeed": (1e-3, SPEED[1]),  # in play 0.5; the painted velocity is divided by it
        "max_jump": (1e-3, SPEED[1]),  # in play 1.5; likewise
        "action_vx": (-1, 1),
        "action_vy": (-1, 1),
        "random_agent_start": FLAG,
        "has_useful_vel_info": FLAG,
    },
    "view": {
        "main_width": (WORLD_SIZE, WORLD_SIZE),
        "main_height": (WORLD_SIZE, WORLD_SIZE),
        "visibility": (13, 13),
        "min_visibility": (0, 0),
        "grid_width": (WORLD_SIZE, WORLD_SIZE),
        "grid_height": (WORLD_SIZE, WORLD_SIZE),
        "grid_cells": (WORLD_SIZE**2, WORLD_SIZE**2),
    },
    "own": {
        "last_agent_y": PLACE,
        "wall_theme": (0, WALL_THEMES - 1),
        "has_support": FLAG,
        "facing_right": FLAG,
        "is_on_crate": FLAG,
        "gravity": (0, SPEED[1]),  # in play 0.2
        "air_control": (0, 1),  # in play 0.15; a factor of `mixrate`
        "end_of_buffer": (END_OF_BUFFER, END_OF_BUFFER),
    },
}
"""What the numbers of a state may be, by its parts: what play shows, with a margin. What is not here moves nothing.

The ranges are closed under the game's step: what comes after a state that is accepted is accepted, so that play that
begins in one goes on for ever. Speeds of 10^5 cells a step, or entities of 10^5 cells, are steps that do not end.
"""
_ANY: Ranges = {
    "x": PLACE,
    "y": PLACE,
    "vx": SPEED,
    "vy": SPEED,
    "rx": (0, 2 * LARGEST),  # `_check_sizes` has the rest
    "ry": (0, 2 * LARGEST),
    "render_z": (-1, 1),
    "will_erase": (0, 0),
    "collides_with_entities": (0, 0),
    "collision_margin": (-1, 1),  # in play 0
    "vrot": (0, 0),
    "is_reflected": FLAG,
    "expire_time": (-(2**31), 0),  # never
    "use_abs_coords": FLAG,
    "friction": (0, 1),  # in play 1; above it speeds grow from step to step
    "smart_step": (0, 0),
    "avoids_collisions": FLAG,
    "auto_erase": (1, 1),
    "alpha": (0, 1),
    "grow_rate": (0, 1),  # in play 1
    "alpha_decay": (0, 1),
}
_STILL: Ranges = {"vx": (0, 0), "vy": (0, 0), "rx": (0.5, 0.5), "ry": (0.5, 0.5), "grow_rate": (1, 1)}
ENTITY_RANGES = EntityRanges(
    {
        PLAYER: _ANY | {"smart_step": (1, 1)},
        SAW: _ANY | _STILL,
        ENEMY: _ANY | {"smart_step": (1, 1), "vx": (-1, 1), "vy": (0, 0)},  # in play 0.15 at most
        CRATE: _ANY | _STILL,
        TRAIL: _ANY | {"expire_time": (1, TRAIL_STEPS), "life_time": (0, TRAIL_STEPS), "grow_rate": (0, 1.05)},
    },
    {PLAYER: "the player", SAW: "a saw", ENEMY: "an enemy", CRATE: "a crate", TRAIL: "a trail"},
)
"""The same of entities, by type."""


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
    for part, ranges in RANGES.items():
        check_fields(getattr(state, part), ranges)
    for name in ("level_seed_rand_gen", "rand_gen", "asset_rand_gen"):
        check_generator(getattr(state, name), name)
    _check_pictures(state.entities)
    ENTITY_RANGES.check(state.entities)
    _check_sizes(state.entities)
    _check_counts(state.entities)
    if state.grid.shape != (WORLD_SIZE, WORLD_SIZE) or state.grid.dtype != np.int32:
        raise StateError(f"The grid is {state.grid.shape} {state.grid.dtype}; it must be (64, 64) int32.")
    strange = state.grid[~_KNOWN_CELLS[np.clip(state.grid, -1, len(_KNOWN_CELLS) - 1)]]
    if strange.size:
        raise StateError(f"The grid holds {int(strange[0])}, which is nothing in CoinRun.")
    check_fields(state.game, {"level_seed_low": (0, int(state.game["level_seed_high"]) - 1)})
    if int(state.view["out_of_bounds_object"]) not in (WALL, WALL_TOP, SPACE):
        raise StateError(f"out_of_bounds_object is {state.view['out_of_bounds_object']}; it must be a wall or space.")


_KNOWN_CELLS = np.zeros(SPACE + 2, dtype=bool)  # the last entry stands for everything above and below
_KNOWN_CELLS[list(GRID_VALUES)] = True


def _check_pictures(entities: Fields) -> None:
    players = int((entities["type"] == PLAYER).sum())
    if players != 1:
        raise StateError(f"The state has {players} players; CoinRun has one.")
    pictures = zip(*(entities[name].tolist() for name in ("type", "image_type", "image_theme")), strict=True)
    for kind, image, theme in set(pictures) - _PICTURES:
        if kind not in DRAWN:
            raise StateError(f"The state has an entity of type {kind}, which CoinRun does not have.")
        raise StateError(f"An entity of type {kind} has image {image} in theme {theme}, which does not exist.")


def _check_sizes(entities: Fields) -> None:
    """That no entity is larger than one of `LARGEST` can have grown in the steps since it came."""
    steps = np.where(entities["grow_rate"] > 1, entities["life_time"], 0)
    largest = LARGEST * entities["grow_rate"].astype(np.float64) ** steps
    for name in ("rx", "ry"):
        larger = np.flatnonzero(entities[name] > largest * (1 + 1e-5))  # the game rounds to float32 in each step
        if larger.size:
            raise out_of_range(f"{name} of an entity", float(entities[name][larger[0]]), (0, float(largest[larger[0]])))


def _check_counts(entities: Fields) -> None:
    """That there are no more entities than a step, and what it leaves behind, have time and room for."""
    for kind in set(DRAWN) - {PLAYER}:
        ages = entities["life_time"][entities["type"] == kind]
        count = int(np.bincount(ages).max(initial=0)) if kind == TRAIL else len(ages)
        if count > MOST_OF_A_TYPE:
            what = f"{ENTITY_RANGES.words[kind]}{' of one age' if kind == TRAIL else ''}"
            raise StateError(f"The state has {what} {count} times; CoinRun has it at most {MOST_OF_A_TYPE} times.")
    crates = entities[entities["type"] == CRATE]
    near = [np.abs(np.subtract.outer(crates[name], crates[name])) < 1 for name in ("x", "y")]
    together = int((near[0] & near[1]).sum(axis=0).max(initial=0))
    if together > MOST_CRATES_AT_A_PLACE:
        raise StateError(f"The state has {together} crates at a place; CoinRun has at most {MOST_CRATES_AT_A_PLACE}.")
