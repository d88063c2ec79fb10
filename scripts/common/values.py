"""Settings from configuration values."""

import os
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, TypeVar, get_type_hints

from pydantic import AllowInfNan, BeforeValidator, Strict, TypeAdapter, ValidationError

from rollouts.errors import InputError

Settings = TypeVar("Settings")


def _number(value: Any) -> Any:
    """A number however it is written: whole ones may be 5e6."""
    if isinstance(value, bool):
        raise ValueError
    return float(value) if isinstance(value, str) else value


NUMBER = Annotated[float, BeforeValidator(_number), AllowInfNan(False)]
WHOLE = Annotated[int, BeforeValidator(_number)]
TYPES: dict[Any, tuple[Any, str]] = {
    int: (WHOLE, "a whole number"),
    float: (NUMBER, "a number"),
    bool: (Annotated[bool, Strict()], "true or false"),
}
"""How a value of each type is read, and what it must be."""


def build(kind: type[Settings], values: Mapping[str, Any], where: str, **given: Any) -> Settings:
    """A dataclass from configuration values; `given` fields are passed as they are.

    Raises `InputError` naming the key, `where` it stands, whose value has the wrong type.
    """
    hints = get_type_hints(kind)
    converted = {name: convert(value, hints[name], f"{where}.{name}".strip(".")) for name, value in values.items()}
    return kind(**converted, **given)


def picked(kind: type[Settings], config: Mapping[str, Any], **given: Any) -> Settings:
    """A dataclass from the keys of a whole configuration that are its fields; the others keep their defaults."""
    assert is_dataclass(kind)
    names = [field.name for field in fields(kind) if field.name in config and field.name not in given]
    return build(kind, {name: config[name] for name in names}, "", **given)


def convert(value: Any, kind: Any, key: str) -> Any:
    """A value of the type `kind`; raises `InputError` naming the key otherwise."""
    if kind is str:
        return str(value)
    if kind not in TYPES:
        return value
    reader, expected = TYPES[kind]
    try:
        return TypeAdapter(reader).validate_python(value)
    except ValidationError as error:
        if kind is int and error.errors()[0]["type"] != "int_from_float":
            expected = "a number"
        raise InputError(f"{key} is {value!r}; it must be {expected}.") from None


def whole(value: Any, key: str) -> int:
    """A whole number, however it is written; raises `InputError` naming the key otherwise."""
    number: int = convert(value, int, key)
    return number


def cores() -> int:
    """Cores that this process may use, which on a shared machine are fewer than it has.

    OMP_NUM_THREADS can make them fewer still; the processes of a sweep have it, so that they share the machine.
    """
    allowed = len(os.sched_getaffinity(0))
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(wanted)) if wanted.isdigit() and int(wanted) else allowed
