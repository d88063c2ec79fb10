"""Which levels begin alike: layouts are fewer than levels, and an unseen level may have one that was trained on."""

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from rollouts.coinrun.layouts import KNOWN, hashes
from rollouts.env import RESET, EnvOptions, make_env, observe
from rollouts.errors import InputError
from rollouts.procgen_state import GAME
from rollouts.progress import Track, untracked

HASHES: Mapping[str, Callable[[bytes], tuple[bytes, bytes]]] = {"coinrun": hashes}
"""For each game the hashes of the layout and of the picture that a state begins with."""
KNOWN_SHARES: Mapping[str, Mapping[str, Mapping[int, tuple[float, float]]]] = {"coinrun": KNOWN}
"""For each game and mode, what was measured of how many unseen levels begin as one of so many training levels."""
MOST_LEVELS = 1_000_000
"""So many are looked at, at about 0.5 ms a level."""
_ENVIRONMENTS = 32


class Starts:
    """The states that levels of a game begin in, `num` levels at a time."""

    def __init__(self, options: EnvOptions, num: int = _ENVIRONMENTS) -> None:
        self._env = make_env(num, options, seed=0, threads=0)
        data: bytes = self._env.callmethod("get_state")[0]
        assert GAME.fields is not None
        at = 8 + len(options.game) + GAME.fields["level_seed_low"][1]  # after the version and the name with its length
        self._before, self._after = data[:at], data[at + 8 :]
        self._num = num

    def __call__(self, levels: Sequence[int]) -> Iterator[bytes]:
        """A state of procgen for each level: one that may draw no other level is set, and its episode ended."""
        for begin in range(0, len(levels), self._num):
            part = [int(level) for level in levels[begin : begin + self._num]]
            padded = part + part[-1:] * (self._num - len(part))
            states = [self._before + struct.pack("<2i", level, level + 1) + self._after for level in padded]
            self._env.callmethod("set_state", states)
            self._env.act(np.full(self._num, RESET, dtype=np.int32))
            observe(self._env, copy=False)
            yield from self._env.callmethod("get_state")[: len(part)]


def level_hashes(
    options: EnvOptions, levels: Sequence[int], track: Track = untracked, name: str = "levels"
) -> Iterator[tuple[bytes, bytes]]:
    """Hashes of the layout and of the picture that each level begins with; `options` say of which game and mode."""
    of_state = HASHES[options.game]
    with track(name, len(levels)) as update:
        for state in Starts(options)(levels):
            yield of_state(state)
            update(1)


def shares(trained: Sequence[bytes], unseen: Sequence[bytes], counts: Sequence[int]) -> NDArray[np.float64]:
    """Share (counts,) of unseen levels whose hash is among those of the first so many training levels."""
    first: dict[bytes, int] = {}
    for number, value in enumerate(trained):
        first.setdefault(value, number)
    seen_at = np.array([first.get(value, len(trained)) for value in unseen])
    return np.array([(seen_at < count).mean() for count in counts])


class NewLayouts:
    """Tells of levels whether their layout is that of none that an agent was trained on, and counts what it told.

    Raises `InputError`, naming the agent, where it was trained on all levels, or on more than `MOST_LEVELS`.
    """

    def __init__(self, options: EnvOptions, name: str, track: Track = untracked) -> None:
        check_range_of_levels(options, name)
        levels = range(*options.levels)
        self._known = {layout for layout, _ in level_hashes(options, levels, track, f"{name}, layouts trained on")}
        self._starts, self._hashes = Starts(options, num=1), HASHES[options.game]
        self.asked = self.known = 0

    def __call__(self, levels: Sequence[int]) -> NDArray[np.bool_]:
        """Levels (n,) -> whether each is new (n,)."""
        new = np.array([self._hashes(state)[0] not in self._known for state in self._starts(levels)], dtype=bool)
        self.asked += len(new)
        self.known += int((~new).sum())
        return new


def check_range_of_levels(options: EnvOptions, name: str) -> None:
    """Raises `InputError` unless the layouts of all training levels can be looked at."""
    first, end = options.levels
    if options.num_levels == 0:
        raise InputError(f"{name} was trained on all levels, so that layouts=new leaves none; it needs num_levels.")
    if end - first > MOST_LEVELS:
        raise InputError(
            f"{name} was trained on {end - first:,} levels; layouts=new looks at each, and at most at {MOST_LEVELS:,}."
        )
