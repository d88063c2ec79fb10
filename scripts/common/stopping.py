"""Runs that are asked to stop, and go on when they are started again."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

STOPPED = 75
"""Exit status of a run that was asked to stop, and goes on when it is started again (EX_TEMPFAIL of sysexits.h)."""


FINISHED = "finished before"
"""What a task returns whose result is there already."""


class Stopped(Exception):
    """The run was asked to stop and has written its state."""


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Within the block, signals that ask a run to stop are gathered in the list that is yielded.

    They are SIGTERM, SIGINT, and SIGUSR2, which a cluster sends before a time limit.
    """
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
