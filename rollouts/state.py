"""CoinRun's state: bytes of procgen's `get_state` <-> named fields.

A byte string that procgen cannot use aborts the process from inside C++, so everything is checked here first. Numbers
are kept as the bits they were, in NumPy structured arrays: `state.game["use_backgrounds"] = 0` edits a field.
"""

import re
import struct
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollouts.errors import InputError

Fields = NDArray[np.void]

PLAYER, COIN, SAW, ENEMY, CRATE, TRAIL = 0, 1, 2, 5, 20, 59
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


class StateError(InputError):
    """Bytes that are no CoinRun state, or a state that CoinRun could not draw."""


def _layout(*blocks: tuple[str, str]) -> np.dtype[np.void]:
    """A packed little-endian structure from its blocks of fields: the kind (i4 or f4) and their names, in order."""
    return np.dtype([(name, f"<{kind}") for kind, names in blocks for name in names.split()])


GAME = _layout(
    (
        "i4",
        """paint_vel_info use_generated_assets use_monochrome_assets restrict_themes use_backgrounds center_agent
     debug_mode distribution_mode use_sequential_levels use_easy_jump plain_assets physics_mode grid_step
     level_seed_low level_seed_high game_type game_n""",
    ),
)
EPISODE = _layout(
    ("f4", "reward"),
    (
        "i4",
        """done level_complete action timeout current_level_seed prev_level_seed episodes_remaining episode_done
     last_reward_timer""",
    ),
    ("f4", "last_reward"),
    ("i4", "default_action fixed_asset_seed cur_time is_waiting_for_step grid_size"),
)
ENTITY = _layout(
    ("f4", "x y vx vy rx ry"),
    ("i4", "type image_type image_theme render_z will_erase collides_with_entities"),
    ("f4", "collision_margin rotation vrot"),
    ("i4", "is_reflected fire_time spawn_time life_time expire_time use_abs_coords"),
    ("f4", "friction"),
    ("i4", "smart_step avoids_collisions auto_erase"),
    ("f4", "alpha health theta grow_rate alpha_decay climber_spawn_x"),
)
WORLD = _layout(
    ("i4", "use_procgen_background background_index"),
    ("f4", "bg_tile_ratio bg_pct_x char_dim"),
    ("i4", "last_move_action move_action special_action"),
    ("f4", "mixrate maxspeed max_jump action_vx action_vy action_vrot center_x center_y"),
    ("i4", "random_agent_start has_useful_vel_info step_rand_int"),
)
VIEW = _layout(
    ("i4", "main_width main_height out_of_bounds_object"),
    ("f4", "unit view_dim x_off y_off visibility min_visibility"),
    ("i4", "grid_width grid_height grid_cells"),
)
COINRUN = _layout(
    ("f4", "last_agent_y"),
    ("i4", "wall_theme has_support facing_right is_on_crate"),
    ("f4", "gravity air_control"),
    ("i4", "end_of_buffer"),
)
VERSION, NAME, END_OF_BUFFER = 0, b"coinrun", struct.unpack("<i", b"\xfe\xca\xfe\xca")[0]

_FLAGS = {
    "game": """paint_vel_info use_monochrome_assets restrict_themes use_backgrounds center_agent distribution_mode
    use_sequential_levels""",
    "entities": "will_erase collides_with_entities is_reflected use_abs_coords smart_step avoids_collisions auto_erase",
    "world": "random_agent_start has_useful_vel_info",
    "coinrun": "has_support facing_right is_on_crate",
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
    "coinrun": {"end_of_buffer": END_OF_BUFFER},
}
_GENERATOR_TEXT = re.compile(rb"(?:\d{1,10} ){624}\d{1,3}")


@dataclass
class RandomGenerator:
    """A std::mt19937: whether it was seeded, and its 624 words and position as text."""

    is_seeded: int
    text: bytes


@dataclass
class State:
    """Everything a CoinRun environment is. `grid[y, x]` counts from the lower left cell; entities draw in order.

    `game`, `episode`, `world`, `view` and `coinrun` are structured arrays of shape (), `entities` of shape (n,),
    `grid` is (64, 64) int32. Fields have procgen's own names.
    """

    game: Fields
    level_seed_rand_gen: RandomGenerator
    rand_gen: RandomGenerator
    episode: Fields
    entities: Fields
    world: Fields
    asset_rand_gen: RandomGenerator
    view: Fields
    grid: NDArray[np.int32]
    coinrun: Fields

    def copy(self) -> "State":
        """A state whose arrays can be edited without changing this one."""
        return State(**{f.name: _copied(getattr(self, f.name)) for f in fields(self)})

    @property
    def agent(self) -> Fields:
        """The player's entity (), a view."""
        return self.entities[np.flatnonzero(self.entities["type"] == PLAYER)[0] :][:1].reshape(())


def _copied(part: Any) -> Any:
    return replace(part) if isinstance(part, RandomGenerator) else part.copy()


class _Reader:
    """Takes structures off the front of a byte string; raises `StateError` where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self.data, self.offset = data, 0

    def take(self, size: int, what: str) -> bytes:
        part = self.data[self.offset : self.offset + size]
        if size < 0 or len(part) < size:
            raise StateError(f"The state ends inside {what}: {len(self.data)} bytes are too few.")
        self.offset += size
        return part

    def integer(self, what: str) -> int:
        return int(struct.unpack("<i", self.take(4, what))[0])

    def array(self, layout: Any, count: int, what: str) -> NDArray[Any]:
        layout = np.dtype(layout)
        return np.frombuffer(self.take(layout.itemsize * count, what), layout).copy()

    def fields(self, layout: np.dtype[np.void], what: str) -> Fields:
        return self.array(layout, 1, what).reshape(())

    def generator(self, what: str) -> RandomGenerator:
        seeded = self.integer(what)
        length = self.integer(what)
        if not 0 <= length <= 625 * 11:
            raise StateError(f"{what} is said to be {length} characters long, which no generator is.")
        return RandomGenerator(seeded, self.take(length, what))


def parse(data: bytes) -> State:
    """Read a state; `serialize` gives back the same bytes.

    Raises `StateError` for bytes of another game, another version, cut short, too long, or with any value that
    CoinRun could not draw or go on from.
    """
    reader = _Reader(data)
    version = reader.integer("the version")
    if version != VERSION:
        raise StateError(f"The state has version {version}; this codec reads version {VERSION}.")
    length = reader.integer("the name of the game")
    name = reader.take(length, "the name of the game") if 0 < length <= 64 else b"?"
    if name != NAME:
        raise StateError(f"The state is of the game '{name.decode(errors='replace')}', not of coinrun.")
    game = reader.fields(GAME, "the options")
    level_seed_rand_gen = reader.generator("level_seed_rand_gen")
    rand_gen = reader.generator("rand_gen")
    episode = reader.fields(EPISODE, "the episode")
    count = reader.integer("the number of entities")
    if not 1 <= count <= 10_000:
        raise StateError(f"The state has {count} entities; there is always the player, and never 10,000.")
    entities = reader.array(ENTITY, count, "the entities")
    world = reader.fields(WORLD, "the world")
    asset_rand_gen = reader.generator("asset_rand_gen")
    view = reader.fields(VIEW, "the view")
    _check_fixed("view", view)
    grid = reader.array("<i4", WORLD_SIZE**2, "the grid").reshape(WORLD_SIZE, WORLD_SIZE)
    coinrun = reader.fields(COINRUN, "CoinRun's own fields")
    if reader.offset != len(data):
        raise StateError(f"The state is {len(data)} bytes long, {len(data) - reader.offset} more than its content.")
    state = State(game, level_seed_rand_gen, rand_gen, episode, entities, world, asset_rand_gen, view, grid, coinrun)
    check(state)
    return state


def serialize(state: State) -> bytes:
    """The bytes that procgen's `set_state` takes. Raises `StateError` for a state that CoinRun could not use."""
    check(state)
    return assemble(state)


def assemble(state: State) -> bytes:
    """`serialize` without the check, for many small edits of a state that was checked."""
    parts = [struct.pack("<2i", VERSION, len(NAME)), NAME]
    for field in fields(state):
        part = getattr(state, field.name)
        if isinstance(part, RandomGenerator):
            parts += [struct.pack("<2i", part.is_seeded, len(part.text)), part.text]
        elif field.name == "entities":
            parts += [struct.pack("<i", len(part)), part.tobytes()]
        else:
            parts.append(part.tobytes())
    return b"".join(parts)


def check(state: State) -> None:
    """Raise `StateError` unless CoinRun can draw this state and play on from it."""
    for part, names in _FLAGS.items():
        values = getattr(state, part)
        for name in names.split():
            if ((values[name] != 0) & (values[name] != 1)).any():
                raise StateError(f"{name} must be 0 or 1 everywhere, and is {np.unique(values[name]).tolist()}.")
    for part in _FIXED:
        _check_fixed(part, getattr(state, part))
    for part in ("episode", "entities", "world", "view", "coinrun"):
        _check_finite(getattr(state, part))
    for name in ("level_seed_rand_gen", "rand_gen", "asset_rand_gen"):
        _check_generator(getattr(state, name), name)
    _check_entities(state.entities)
    if state.grid.shape != (WORLD_SIZE, WORLD_SIZE) or state.grid.dtype != np.int32:
        raise StateError(f"The grid is {state.grid.shape} {state.grid.dtype}; it must be (64, 64) int32.")
    strange = state.grid[~_KNOWN_CELLS[np.clip(state.grid, -1, len(_KNOWN_CELLS) - 1)]]
    if strange.size:
        raise StateError(f"The grid holds {int(strange[0])}, which is nothing in CoinRun.")
    _check_range(state.view, "out_of_bounds_object", WALL, SPACE)
    _check_range(state.world, "background_index", 0, BACKGROUNDS - 1)
    _check_range(state.world, "bg_pct_x", 0, 1)
    _check_range(state.coinrun, "wall_theme", 0, WALL_THEMES - 1)
    _check_range(state.world, "maxspeed", 1e-3, 100)
    _check_range(state.world, "max_jump", 1e-3, 100)
    _check_range(state.game, "level_seed_low", 0, int(state.game["level_seed_high"]) - 1)
    if int(state.view["out_of_bounds_object"]) not in (WALL, WALL_TOP, SPACE):
        raise StateError(f"out_of_bounds_object is {state.view['out_of_bounds_object']}; it must be a wall or space.")


_KNOWN_CELLS = np.zeros(SPACE + 2, dtype=bool)  # the last entry stands for everything above and below
_KNOWN_CELLS[list(GRID_VALUES)] = True


def _check_fixed(part: str, values: Fields) -> None:
    for name, expected in _FIXED.get(part, {}).items():
        if values[name] != expected:
            raise StateError(f"{name} is {values[name]}; in a CoinRun state it is {expected}.")


def _check_finite(values: Fields) -> None:
    assert values.dtype.names is not None
    for name in values.dtype.names:
        if values.dtype[name].kind == "f" and not (np.abs(values[name]) < 1e6).all():
            raise StateError(f"{name} is {np.ravel(values[name]).tolist()}; it must be a number of usual size.")


def _check_range(values: Fields, name: str, low: float, high: float) -> None:
    if not low <= values[name] <= high:
        raise StateError(f"{name} is {values[name]}; it must be between {low} and {high}.")


def _check_entities(entities: Fields) -> None:
    players = int((entities["type"] == PLAYER).sum())
    if players != 1:
        raise StateError(f"The state has {players} players; CoinRun has one.")
    shown = zip(*(entities[name].tolist() for name in ("type", "image_type", "image_theme")), strict=True)
    for kind, image, theme in set(shown) - _PICTURES:
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


def _check_generator(generator: RandomGenerator, name: str) -> None:
    if generator.is_seeded == 0 and name != "asset_rand_gen":
        raise StateError(f"{name} was never seeded.")
    if not _is_generator(generator.text):
        raise StateError(f"{name} is not the text of a Mersenne twister.")


@lru_cache(maxsize=4096)
def _is_generator(text: bytes) -> bool:
    if not _GENERATOR_TEXT.fullmatch(text):
        return False
    words = text.split()
    return max(map(int, words[:-1])) < 2**32 and int(words[-1]) <= 624
