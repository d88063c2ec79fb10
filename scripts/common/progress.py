"""The console, and progress on it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from rollouts.progress import Update

CONSOLE = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 140, markup=False, emoji=False)
"""Prints text as it is: brackets and colons in the names of files are no markup."""
SECONDS = 10
"""Between two lines where there is no terminal."""


@contextmanager
def track(name: str, total: int, start: int = 0) -> Iterator[Update]:
    """A progress bar on a terminal; elsewhere a plain line every ten seconds. `start` was done before."""
    if CONSOLE.is_terminal:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=CONSOLE) as progress:
            task = progress.add_task(name, total=total, completed=start, note="")
            yield lambda more, note="": progress.update(task, advance=more, note=note)
        return
    began = last = time.monotonic()
    done = start

    def update(more: int, note: str = "") -> None:
        nonlocal last, done
        done += more
        now = time.monotonic()
        if now - last >= SECONDS and done > start:
            last = now
            left = (total - done) * (now - began) / (done - start)
            print(f"{name}: {done:,} of {total:,}, {left / 60:.1f} min left{', ' + note if note else ''}", flush=True)

    yield update
