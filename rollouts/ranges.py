"""Ranges of settings: written where a setting is declared, and checked wherever one is made.

A field `gamma: Annotated[float, Interval(ge=0, le=1)]` says its own range; `check_ranges` in `__post_init__` holds a
library's user to it, and `common.values` a command's, with the whole key.
"""

from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from annotated_types import Interval

from rollouts.errors import InputError

Seed = Annotated[int, Interval(ge=0, le=2_000_000_000)]
"""Procgen's seeds have 31 bits, and players, pools and evaluations count on from the one that is given."""
Threads = Annotated[int, Interval(ge=0, le=1024)]
"""Procgen ends the process below 0, and where a thread cannot be had."""
Count = Annotated[int, Interval(ge=1)]
CountOrNone = Annotated[int, Interval(ge=0)]
Episodes = Annotated[int, Interval(ge=1, le=10_000_000)]
Minutes = Annotated[float, Interval(ge=0, le=100_000)]
Positive = Annotated[float, Interval(gt=0)]
Coefficient = Annotated[float, Interval(ge=0)]
Rate = Annotated[float, Interval(gt=0, le=1)]
Share = Annotated[float, Interval(ge=0, le=1)]


def check(value: Any, hint: Any, key: str) -> None:
    """Raises `InputError` naming the key where a value lies outside of the interval that its type is annotated with.

    `hint` may also be a tuple of any length of annotated types, or such a type or None.
    """
    if get_origin(hint) is Annotated:
        for interval in (own for own in hint.__metadata__ if isinstance(own, Interval)):
            if not _within(value, interval):
                raise InputError(f"{key} is {value}; it must be {words(interval)}.")
    elif get_origin(hint) in (Union, UnionType) and value is not None:
        for option in get_args(hint):
            check(value, option, key)
    elif get_origin(hint) is tuple:
        for one in value:
            check(one, get_args(hint)[0], key)


def check_ranges(settings: Any, where: str = "") -> None:
    """`check` for every field of a dataclass; `where` stands before the fields' names."""
    for name, hint in hints(type(settings)).items():
        check(getattr(settings, name), hint, f"{where}{name}")


def hints(kind: type) -> Mapping[str, Any]:
    """The types of a dataclass's fields, their ranges with them."""
    return get_type_hints(kind, include_extras=True)


def words(interval: Interval) -> str:
    """'from 0 to 1', 'above 0 and at most 1', 'at least 1'."""
    if interval.ge is not None and interval.le is not None:
        return f"from {_written(interval.ge)} to {_written(interval.le)}"
    limits = {"at least": interval.ge, "above": interval.gt, "at most": interval.le, "below": interval.lt}
    return " and ".join(f"{word} {_written(limit)}" for word, limit in limits.items() if limit is not None)


def _within(value: Any, interval: Interval) -> bool:
    """Not a number lies in no interval."""
    return (
        value == value
        and (interval.ge is None or value >= interval.ge)
        and (interval.gt is None or value > interval.gt)
        and (interval.le is None or value <= interval.le)
        and (interval.lt is None or value < interval.lt)
    )


def _written(limit: Any) -> str:
    return f"{limit:,}"
