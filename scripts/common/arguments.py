"""Names as people have them, on a command line that Hydra reads.

Hydra's grammar takes `=`, commas, brackets, quotes, `${` and letters beyond ASCII for its own or for mistakes; names of
files and people hold them all the same.
"""

import os
import re

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hydra.errors import HydraException

SETTING = re.compile(r"([+~]{0,2}\w[\w./@-]*)=(.+)", re.DOTALL)


def taken(argument: str) -> str:
    """An argument as Hydra understands it.

    The name of a file that exists stands for that file, whatever is in it. Else what the grammar can read is left as
    it is, and what it cannot read is a name, or a list, or a sweep with such names in it.
    """
    setting = SETTING.fullmatch(argument)
    if setting is None:
        return argument
    key, value = setting.groups()
    if os.path.lexists(value):
        return argument if _plain(value) else f"{key}={quoted(value)}"
    if _read(value) is not None:
        return argument
    if value[0] + value[-1] == "[]":
        return f"{key}=[{_each(value[1:-1])}]"
    return f"{key}={_each(value)}"


def quoted(text: str) -> str:
    """Text as a string of Hydra's grammar, nothing in it interpolated."""
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    text = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", text) + "'"


def unquoted(text: str | QuotedString) -> str:
    """A string of Hydra's grammar as it will be read: the reverse of `quoted`."""
    text = text.text if isinstance(text, QuotedString) else text
    return re.sub(r"(\\*)\\\$\{", lambda match: "\\" * (len(match[1]) // 2) + "${", text)


def _each(values: str) -> str:
    """Values between commas, those quoted that the grammar cannot read."""
    parts = [part.strip() for part in values.split(",")]
    return ",".join(quoted(part) if part and _read(part) is None else part for part in parts)


def _plain(value: str) -> bool:
    """Whether the grammar reads a name as itself, or as what is no name: a number, true, null."""
    read = _read(value)
    return "${" not in value and read is not None and (read[0] == value or isinstance(read[0], int | float | None))


def _read(value: str) -> tuple[object] | None:
    """What the grammar makes of a value, None where it can make nothing of it."""
    try:
        return (OverridesParser.create().parse_override(f"key={value}")._value,)
    except HydraException:
        return None
