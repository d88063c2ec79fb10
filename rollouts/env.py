"""Building procgen environments: level ranges, options, actions."""

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray

from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.games import game_named
from rollouts.ranges import Count, Threads, check, check_ranges

with contextlib.redirect_stderr(io.StringIO()):  # gym greets every importer with a notice
    import procgen
    from procgen import ProcgenGym3Env

FIRST_UNSEEN_LEVEL = 2**30
"""Levels from here on are never trained on: they are the unseen levels of every agent."""
LAST_LEVEL = 2**31 - 1

LastSeed = Annotated[int, Interval(ge=0, le=2**31 - 1)]
"""Seeds of procgen, those that were counted on from a given one among them."""
ASSETS = Path(procgen.__file__).parent / "data" / "assets"

PROCGEN_ACTIONS = tuple(range(15))
"""Every action of procgen; a game's table says which of them differ."""
RESET = -1
"""What ends an episode at once."""


@dataclass(frozen=True)
class EnvOptions:
    """What an environment is: its game, its difficulty, its picture and its levels.

    `num_levels` levels from `start_level` on; 0 levels means all that may be trained on,
    `[0, FIRST_UNSEEN_LEVEL)`. CoinRun's `hard` draws textures at random and has walking enemies, `easy` does neither.
    `paint_velocity` paints the agent's velocity as two grey squares into the top left corner.
    Raises `InputError` for a range that is empty, negative or reaches past the last level.
    """

    distribution_mode: str = "hard"
    paint_velocity: bool = True
    num_levels: Annotated[int, Interval(ge=0, le=LAST_LEVEL)] = 0
    start_level: Annotated[int, Interval(ge=0, le=LAST_LEVEL)] = 0
    game: str = "coinrun"

    def __post_init__(self) -> None:
        check_ranges(self)
        modes = self.rules.modes
        if self.distribution_mode not in modes:
            raise InputError(
                f"distribution_mode is '{self.distribution_mode}'; {self.rules.title} has "
                f"{' and '.join(repr(mode) for mode in modes)}."
            )
        if self.num_levels == 0 and self.start_level != 0:
            raise InputError(f"start_level is {self.start_level} but num_levels is 0 (all levels, which start at 0).")
        if self.start_level + self.num_levels > LAST_LEVEL:
            raise InputError(
                f"Levels {self.start_level} to {self.start_level + self.num_levels - 1} reach past the last one, "
                f"{LAST_LEVEL - 1}."
            )

    @property
    def rules(self) -> Game:
        """The game's table."""
        return game_named(self.game)

    @property
    def levels(self) -> tuple[int, int]:
        """First level and the one after the last."""
        if self.num_levels == 0:
            return 0, FIRST_UNSEEN_LEVEL
        return self.start_level, self.start_level + self.num_levels

    def unseen(self) -> "EnvOptions":
        """The same game on levels that nobody trains on.

        Raises `InputError` when these options themselves reach into the unseen levels.
        """
        if self.levels[1] > FIRST_UNSEEN_LEVEL:
            raise InputError(
                f"Levels {self.levels[0]} to {self.levels[1] - 1} overlap the levels kept unseen, "
                f"{FIRST_UNSEEN_LEVEL} and up."
            )
        count = LAST_LEVEL - FIRST_UNSEEN_LEVEL
        return replace(self, num_levels=count, start_level=FIRST_UNSEEN_LEVEL)

    def same_picture(self, other: "EnvOptions") -> bool:
        """Whether both draw the same kind of frame, whatever their levels."""
        return replace(self, num_levels=0, start_level=0) == replace(other, num_levels=0, start_level=0)


def make_env(num: int, options: EnvOptions, seed: int, threads: int = 1) -> ProcgenGym3Env:
    """`num` environments stepped by `threads` threads; `seed` draws the order of levels.

    gym3's interface: `observe()` gives rewards (num,), {"rgb": (num, 64, 64, 3) uint8} and whether each frame
    is the first of an episode (num,); `act` takes procgen's action ids (num,). Raises `InputError` for numbers that
    would end the process, and where procgen's pictures cannot be read.
    """
    for key, value, kind in (("num", num, Count), ("seed", seed, LastSeed), ("threads", threads, Threads)):
        check(value, kind, key)
    start, end = options.levels
    with readable(ASSETS) as pictures:
        return ProcgenGym3Env(
            num=num,
            env_name=options.game,
            distribution_mode=options.distribution_mode,
            paint_vel_info=options.paint_velocity,
            start_level=start,
            num_levels=end - start,
            rand_seed=seed,
            num_threads=threads,
            resource_root=pictures,
        )


@contextlib.contextmanager
def readable(folder: Path) -> Iterator[str]:
    """The folder's path as procgen's loader of pictures takes it: a letter beyond ASCII ends the process there.

    In the place of such a path stands the kernel's name of the open folder. The first environment of a process reads
    all pictures, so the name has to last no longer. Raises `InputError` where there is no /proc.
    """
    if str(folder).isascii():
        yield f"{folder}{os.sep}"
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        name = f"/proc/self/fd/{handle}{os.sep}"
        if not Path(name).is_dir():
            raise InputError(
                f"Procgen lies in {folder}, and cannot read its pictures under a name with letters beyond ASCII; "
                "mount /proc, or install it elsewhere."
            )
        yield name
    finally:
        os.close(handle)


def observe(env: ProcgenGym3Env, copy: bool = True) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_]]:
    """Rewards (num,), frames (num, 64, 64, 3) and first-frame flags (num,).

    Waits for the step under way. Without `copy` the arrays are the environment's own, and its next step changes them.
    """
    reward, observation, first = env.observe()
    if not copy:
        return reward, observation["rgb"], first.astype(bool)
    return reward.copy(), observation["rgb"].copy(), first.astype(bool)


@cache
def renderer_sha256() -> str:
    """SHA-256 of the library that draws the frames: builds linked to another Qt draw other pixels."""
    library = Path(procgen.__file__).parent / "data" / "prebuilt" / "libenv.so"
    return hashlib.sha256(library.read_bytes()).hexdigest()
