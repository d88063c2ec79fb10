"""What a bank's file holds: its metadata's schema, its arrays, and what their values can be."""

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from rollouts.archives import Archive, Header, take
from rollouts.env import PROCGEN_ACTIONS, EnvOptions
from rollouts.procgen_state import State, StateError
from rollouts.sealing import Sha256, Whole

FRAME = (64, 64, 3)
MOST_FRAMES = 2**16
LARGEST_STATE = 2**20
"""Bytes; CoinRun's have some 45,000."""
LENGTH = struct.Struct("<I")
"""What stands before each state."""


@dataclass(frozen=True)
class BankMetadata:
    """Beside a bank's arrays."""

    format: str
    kind: str
    options: EnvOptions
    renderer: str
    players: Annotated[tuple[str, ...], Field(min_length=1)]
    seed: Whole
    precision: str | None = None
    sha256: Sha256 | None = None


SCHEMA = TypeAdapter(BankMetadata)

ARRAYS: Mapping[str, tuple[str, tuple[int, ...], str]] = {
    "actions": ("int32", (), "frames"),
    "rewards": ("float32", (), "frames"),
    "environment": ("int32", (), "frames"),
    "time": ("int32", (), "frames"),
    "episode": ("int32", (), "frames"),
    "level": ("int32", (), "frames"),
    "player": ("int32", (), "frames"),
    "pool_environment": ("int32", (), "pool"),
    "frames": ("uint8", FRAME, "frames"),
    "next_frames": ("uint8", FRAME, "frames"),
    "pool": ("uint8", FRAME, "pool"),
}
"""Each array's numbers, the shape of an entry, and of what there is one for each: frames, or frames of the pool."""
OPTIONAL = ("next_frames",)
METADATA, STATES = "metadata.json", "states.bin"


def headers(archive: Archive) -> dict[str, Header]:
    """The arrays of a bank by name, before any is unpacked.

    Raises `ValueError` naming the first member that is missing, of another kind or length than it must be, or unknown.
    """
    members = {f"{name}.npy": name for name in ARRAYS}
    unknown = set(archive.names) - {METADATA, STATES, *members}
    if unknown:
        raise ValueError(f"it has '{min(unknown)}', which no bank has")
    found: dict[str, Header] = {}
    lengths: dict[str, int] = {}
    for member, name in members.items():
        if member not in archive.names:
            if name in OPTIONAL:
                continue
            raise ValueError(f"it lacks '{member}'")
        dtype, entry, counted = ARRAYS[name]
        header = found[name] = archive.header(member)
        if header.dtype != np.dtype(dtype) or header.shape[1:] != entry or not header.shape:
            expected = ", ".join(["N", *map(str, entry)])
            raise ValueError(f"'{name}' is {header.shape} {header.dtype}; it must be ({expected}) {dtype}")
        length = lengths.setdefault(counted, header.shape[0])
        if header.shape[0] != length or length > MOST_FRAMES:
            most = length if length <= MOST_FRAMES else f"at most {MOST_FRAMES:,}"
            raise ValueError(f"'{name}' has {header.shape[0]:,} entries; it must have {most}")
    if not lengths["frames"]:
        raise ValueError("it has no frames")
    return found


def read_states(file: IO[bytes], count: int, parse: Callable[[bytes], State]) -> tuple[bytes, ...]:
    """`count` states, each parsed as it is unpacked, and nothing behind them.

    Raises `ValueError` for one that the game could not use, naming its place.
    """
    states = []
    for index in range(count):
        (length,) = LENGTH.unpack(take(file, LENGTH.size))
        if length > LARGEST_STATE:
            raise ValueError(f"state {index} would have {length:,} bytes")
        states.append(take(file, length))
        try:
            parse(states[-1])
        except StateError as error:
            raise ValueError(f"state {index} of {count} cannot be used: {error}") from error
    if file.read(1):
        raise ValueError(f"there are more states than {count}")
    return tuple(states)


def check_values(metadata: BankMetadata, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raises `ValueError` naming the first array with a value that it cannot have."""
    first, end = metadata.options.levels
    ranges = {
        "actions": (0, len(PROCGEN_ACTIONS)),
        "environment": (0, MOST_FRAMES),
        "time": (0, MOST_FRAMES),
        "episode": (0, MOST_FRAMES),
        "level": (first, end),
        "player": (0, len(metadata.players)),
        "pool_environment": (0, MOST_FRAMES),
    }
    for name, (low, high) in ranges.items():
        strange = arrays[name][(arrays[name] < low) | (arrays[name] >= high)]
        if len(strange):
            raise ValueError(f"'{name}' holds {strange[0]}; it must be from {low} to {high - 1}")
    if not np.isfinite(arrays["rewards"]).all():
        raise ValueError("'rewards' are not all finite numbers")
    order = np.stack([arrays["environment"], arrays["time"]])
    if (np.lexsort(order[::-1]) != np.arange(order.shape[1])).any() or len(np.unique(order, axis=1).T) < order.shape[1]:
        raise ValueError("its frames are not sorted by 'environment' and 'time'")
    whose = np.stack([arrays[name] for name in ("episode", "environment", "level", "player")])
    if len(np.unique(whose, axis=1).T) > len(np.unique(arrays["episode"])):
        raise ValueError("an 'episode' is of several environments, levels or players")
