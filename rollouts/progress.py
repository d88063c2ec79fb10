"""How long work tells what it has done, whoever shows it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Check = Callable[[], None]
"""Called between the parts of long work; raises where the work is to be given up."""


class Update(Protocol):
    """Told how much more is done, and a word about it."""

    def __call__(self, more: int, note: str = "") -> None: ...


class Track(Protocol):
    """Begins to show work of a name and a total, until the end of the block; `start` of it was done before."""

    def __call__(self, name: str, total: int, start: int = 0) -> AbstractContextManager[Update]: ...


def silent(more: int, note: str = "") -> None:
    """Shows nothing."""


def unhindered() -> None:
    """Never gives work up."""


def untracked(name: str, total: int, start: int = 0) -> AbstractContextManager[Update]:
    """Shows nothing of any work."""
    return nullcontext(silent)
