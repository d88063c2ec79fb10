"""How long work tells what it has done, whoever shows it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Update(Protocol):
    """Told how much more is done, and a word about it."""

    def __call__(self, more: int, note: str = "") -> None: ...


Track = Callable[[str, int], AbstractContextManager[Update]]
"""Begins to show work of a name and a total, until the end of the block."""


def silent(more: int, note: str = "") -> None:
    """Shows nothing."""


def untracked(name: str, total: int) -> AbstractContextManager[Update]:
    """Shows nothing of any work."""
    return nullcontext(silent)
