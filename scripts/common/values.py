"""Settings from configuration values."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import AllowInfNan, BeforeValidator, Strict, TypeAdapter, ValidationError

from common.cores import cores
from rollouts.errors import InputError
from rollouts.ranges import Threads, check, hints

Settings = TypeVar("Settings")


def _number(value: Any) -> Any:
    """A number however it is written: whole ones may be 5e6."""
    if isinstance(value, bool):
        raise ValueError
    return float(value) if isinstance(value, str) else value


def _word(value: Any) -> Any:
    """A word however it is written: `1` and `true` are words, too."""
    return value if value is None or isinstance(value, list | tuple | Mapping) else str(value)


NUMBER = Annotated[float, BeforeValidator(_number), AllowInfNan(False)]
WHOLE = Annotated[int, BeforeValidator(_number)]
TYPES: dict[Any, tuple[Any, str]] = {
    int: (WHOLE, "a whole number"),
    float: (NUMBER, "a number"),
    bool: (Annotated[bool, Strict()], "true or false"),
    str: (Annotated[str, BeforeValidator(_word)], "a word"),
    Path: (Annotated[Path, BeforeValidator(_word)], "a path"),
}
"""How a value of each type is read, and what it must be; words may be written as numbers."""


def build(kind: type[Settings], values: Mapping[str, Any], where: str, **given: Any) -> Settings:
    """A dataclass from configuration values; `given` fields are passed as they are.

    Raises `InputError` naming the key, `where` it stands, whose value has the wrong type or lies outside of its range,
    or that is no field.
    """
    types = hints(kind)
    for name in values:
        if name not in types:
            raise InputError(f"There is no setting {f'{where}.{name}'.strip('.')}; there are {', '.join(types)}.")
    converted = {name: convert(value, types[name], f"{where}.{name}".strip(".")) for name, value in values.items()}
    return kind(**converted, **given)


def picked(kind: type[Settings], config: Mapping[str, Any], **given: Any) -> Settings:
    """A dataclass from the keys of a whole configuration that are its fields; the others keep their defaults."""
    assert is_dataclass(kind)
    names = [field.name for field in fields(kind) if field.name in config and field.name not in given]
    return build(kind, {name: config[name] for name in names}, "", **given)


def convert(value: Any, kind: Any, key: str) -> Any:
    """A value of the type `kind`, which may be a dataclass, a tuple of any length, or `None` as well as another.

    Raises `InputError` naming the key when it is of no such type, or outside of the range that the type has.
    """
    if get_origin(kind) is Annotated:
        converted = convert(value, get_args(kind)[0], key)
        check(converted, kind, key)
        return converted
    if get_origin(kind) in (Union, UnionType):
        (other,) = (option for option in get_args(kind) if option is not NoneType)
        return None if value is None else convert(value, other, key)
    if is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise InputError(f"{key} is {value!r}; it must be settings of its own.")
        return build(kind, value, key)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{key} is {value!r}; it must be a list.")
        return tuple(convert(one, get_args(kind)[0], key) for one in value)
    reader, expected = TYPES[kind]
    try:
        return TypeAdapter(reader).validate_python(value)
    except ValidationError as error:
        if kind is int and error.errors()[0]["type"] != "int_from_float":
            expected = "a number"
        raise InputError(f"{key} is {value!r}; it must be {expected}.") from None


def whole(value: Any, key: str, kind: Any = int) -> int:
    """A whole number, however it is written, in the range of `kind`; raises `InputError` naming the key otherwise."""
    number: int = convert(value, kind, key)
    return number


def threads(value: Any, key: str) -> int:
    """A number of threads, 0 for one on each core; raises `InputError` naming the key outside of what can be had."""
    return whole(value, key, Threads) or cores()
