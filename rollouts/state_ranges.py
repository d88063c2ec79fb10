"""Numbers of a game's state held against what they may be; procgen takes any, and some end in a step without end."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from rollouts.procgen_state import ENTITY, Fields, StateError

Range = tuple[float, float]
Ranges = dict[str, Range]
"""The least and the greatest value of fields, by name."""
_USUAL = {"f": (-1e6, 1e6), "i": (-(2**31), 2**31 - 1)}
"""What any field may be, by kind of number: a float that is one, and of usual size."""


def _limits(kind: np.dtype[np.void], ranges: Ranges) -> dict[str, Range]:
    """The range of every field; floats rounded as the state has them."""
    assert kind.names is not None
    given = {name: ranges.get(name, _USUAL[kind[name].kind]) for name in kind.names}
    return {
        name: (float(np.float32(low)), float(np.float32(high))) if kind[name].kind == "f" else (low, high)
        for name, (low, high) in given.items()
    }


def check_fields(values: Fields, ranges: Ranges) -> None:
    """Raises `StateError` for the first field of a structure () that is out of its range."""
    for (name, (low, high)), value in zip(_limits(values.dtype, ranges).items(), values.item(), strict=True):
        if not low <= value <= high:
            raise out_of_range(name, value, (low, high))


class EntityRanges:
    """Ranges of entities' fields by the type of the entity, with a word for each type."""

    def __init__(self, ranges: Mapping[int, Ranges], words: Mapping[int, str]) -> None:
        self.words = words
        self.limits = np.full((max(ranges) + 1, 2, len(_NAMES)), np.nan)
        for kind, given in ranges.items():
            self.limits[kind] = np.transpose(list(_limits(ENTITY, given).values()))

    def check(self, entities: Fields) -> None:
        """Raises `StateError` for the first number of entities (n,) that is out of its range, all of known types."""
        values = numbers(entities)
        low, high = self.limits[entities["type"]].swapaxes(0, 1)
        outside = np.argwhere(~((values >= low) & (values <= high)))
        if len(outside):
            at = entity, field = outside[0]
            name = f"{_NAMES[field]} of {self.words[int(entities['type'][entity])]}"
            raise out_of_range(name, float(values[entity, field]), (float(low[tuple(at)]), float(high[tuple(at)])))


_NAMES = ENTITY.names or ()
_FLOATS = np.array([ENTITY[name].kind == "f" for name in _NAMES])


def numbers(entities: Fields) -> NDArray[np.float64]:
    """Entities (n,) as numbers (n, fields)."""
    words = np.ascontiguousarray(entities)
    shape = len(entities), len(_NAMES)
    return np.where(_FLOATS, words.view("<f4").reshape(shape), words.view("<i4").reshape(shape).astype(np.float64))


def out_of_range(name: str, value: float, allowed: Range) -> StateError:
    low, high = allowed
    expected = f"{low:.10g}" if low == high else f"between {low:g} and {high:g}"
    return StateError(f"{name} is {value:g}; it must be {expected}.")
