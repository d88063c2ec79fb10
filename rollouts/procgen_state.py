"""The part of procgen's state that all its games share: bytes of `get_state` <-> named fields.

Numbers are kept as the bits they were, in NumPy structured arrays: `state.game["use_backgrounds"] = 0` edits a field.
A byte string that procgen cannot use aborts the process from inside C++: a game's own module checks what it reads.
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


class StateError(InputError):
    """Bytes that are no state of the game, or a state that the game could not draw."""


def layout(*blocks: tuple[str, str]) -> np.dtype[np.void]:
    """A packed little-endian structure from its blocks of fields: the kind (i4 or f4) and their names, in order."""
    return np.dtype([(name, f"<{kind}") for kind, names in blocks for name in names.split()])


GAME = layout(
    (
        "i4",
        """paint_vel_info use_generated_assets use_monochrome_assets restrict_themes use_backgrounds center_agent
     debug_mode distribution_mode use_sequential_levels use_easy_jump plain_assets physics_mode grid_step
     level_seed_low level_seed_high game_type game_n""",
    ),
)
EPISODE = layout(
    ("f4", "reward"),
    (
        "i4",
        """done level_complete action timeout current_level_seed prev_level_seed episodes_remaining episode_done
     last_reward_timer""",
    ),
    ("f4", "last_reward"),
    ("i4", "default_action fixed_asset_seed cur_time is_waiting_for_step grid_size"),
)
ENTITY = layout(
    ("f4", "x y vx vy rx ry"),
    ("i4", "type image_type image_theme render_z will_erase collides_with_entities"),
    ("f4", "collision_margin rotation vrot"),
    ("i4", "is_reflected fire_time spawn_time life_time expire_time use_abs_coords"),
    ("f4", "friction"),
    ("i4", "smart_step avoids_collisions auto_erase"),
    ("f4", "alpha health theta grow_rate alpha_decay climber_spawn_x"),
)
WORLD = layout(
    ("i4", "use_procgen_background background_index"),
    ("f4", "bg_tile_ratio bg_pct_x char_dim"),
    ("i4", "last_move_action move_action special_action"),
    ("f4", "mixrate maxspeed max_jump action_vx action_vy action_vrot center_x center_y"),
    ("i4", "random_agent_start has_useful_vel_info step_rand_int"),
)
VIEW = layout(
    ("i4", "main_width main_height out_of_bounds_object"),
    ("f4", "unit view_dim x_off y_off visibility min_visibility"),
    ("i4", "grid_width grid_height grid_cells"),
)
VERSION, END_OF_BUFFER = 0, struct.unpack("<i", b"\xfe\xca\xfe\xca")[0]
"""What every state begins with, and the mark that every game's own part ends in."""
PLAYER = 0
"""The type of the entity that the agent moves, in every game."""
MOST_ENTITIES, MOST_CELLS = 4_000, 4_096
"""What is read at all. `get_state` writes 2^20 bytes at most, and ends the process where a state has more."""
_GENERATOR_TEXT = re.compile(rb"(?:\d{1,10} ){624}\d{1,3}")


@dataclass
class RandomGenerator:
    """A std::mt19937: whether it was seeded, and its 624 words and position as text."""

    is_seeded: int
    text: bytes


@dataclass
class State:
    """Everything that an environment of `name`'s game is. `grid[y, x]` counts from the lower left cell.

    `game`, `episode`, `world`, `view` and the game's `own` fields are structured arrays of shape (), `entities` of
    shape (n,) in the order in which they are drawn, `grid` is (height, width) int32. Fields have procgen's own names,
    and stand here in the order of the bytes.
    """

    name: str
    game: Fields
    level_seed_rand_gen: RandomGenerator
    rand_gen: RandomGenerator
    episode: Fields
    entities: Fields
    world: Fields
    asset_rand_gen: RandomGenerator
    view: Fields
    grid: NDArray[np.int32]
    own: Fields

    def copy(self) -> "State":
        """A state whose arrays can be edited without changing this one."""
        return State(**{f.name: _copied(getattr(self, f.name)) for f in fields(self)})

    @property
    def agent(self) -> Fields:
        """The player's entity (), a view."""
        return self.entities[np.flatnonzero(self.entities["type"] == PLAYER)[0] :][:1].reshape(())


def _copied(part: Any) -> Any:
    if isinstance(part, str):
        return part
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

    def array(self, kind: Any, count: int, what: str) -> NDArray[Any]:
        kind = np.dtype(kind)
        return np.frombuffer(self.take(kind.itemsize * count, what), kind).copy()

    def fields(self, kind: np.dtype[np.void], what: str) -> Fields:
        return self.array(kind, 1, what).reshape(())

    def generator(self, what: str) -> RandomGenerator:
        seeded = self.integer(what)
        length = self.integer(what)
        if not 0 <= length <= 625 * 11:
            raise StateError(f"{what} is said to be {length} characters long, which no generator is.")
        return RandomGenerator(seeded, self.take(length, what))


def read(data: bytes, name: str, own: np.dtype[np.void]) -> State:
    """The named fields of a state of the game `name`, whose own part has the layout `own`; `assemble` undoes it.

    Raises `StateError` for bytes of another game, another version, cut short or too long. What the fields hold is for
    the game to check.
    """
    reader = _Reader(data)
    version = reader.integer("the version")
    if version != VERSION:
        raise StateError(f"The state has version {version}; this codec reads version {VERSION}.")
    length = reader.integer("the name of the game")
    stated = reader.take(length, "the name of the game") if 0 < length <= 64 else b"?"
    if stated != name.encode():
        raise StateError(f"The state is of the game '{stated.decode(errors='replace')}', not of {name}.")
    game = reader.fields(GAME, "the options")
    level_seed_rand_gen = reader.generator("level_seed_rand_gen")
    rand_gen = reader.generator("rand_gen")
    episode = reader.fields(EPISODE, "the episode")
    count = reader.integer("the number of entities")
    if not 1 <= count <= MOST_ENTITIES:
        raise StateError(f"The state has {count} entities; there is always the player, and never {MOST_ENTITIES:,}.")
    entities = reader.array(ENTITY, count, "the entities")
    world = reader.fields(WORLD, "the world")
    asset_rand_gen = reader.generator("asset_rand_gen")
    view = reader.fields(VIEW, "the view")
    width, height, cells = (int(view[key]) for key in ("grid_width", "grid_height", "grid_cells"))
    if not (width > 0 and height > 0 and width * height == cells <= MOST_CELLS):
        raise StateError(f"The grid is said to be {width} x {height} cells and to have {cells}.")
    grid = reader.array("<i4", cells, "the grid").reshape(height, width)
    rest = reader.fields(own, "the game's own fields")
    if reader.offset != len(data):
        raise StateError(f"The state is {len(data)} bytes long, {len(data) - reader.offset} more than its content.")
    return State(name, game, level_seed_rand_gen, rand_gen, episode, entities, world, asset_rand_gen, view, grid, rest)


def assemble(state: State) -> bytes:
    """The bytes of a state, unchecked: for many small edits of one that was checked."""
    name = state.name.encode()
    parts = [struct.pack("<2i", VERSION, len(name)), name]
    for field in fields(state)[1:]:
        part = getattr(state, field.name)
        if isinstance(part, RandomGenerator):
            parts += [struct.pack("<2i", part.is_seeded, len(part.text)), part.text]
        elif field.name == "entities":
            parts += [struct.pack("<i", len(part)), part.tobytes()]
        else:
            parts.append(part.tobytes())
    return b"".join(parts)


def check_generator(generator: RandomGenerator, name: str) -> None:
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
