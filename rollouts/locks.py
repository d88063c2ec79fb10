"""Folders that one process holds at a time."""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from rollouts.errors import InputError
from rollouts.files import sweep

FILE, SOFT_FILE = ".lock", ".lock.soft"
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What a file system answers that has no locks."""
SOFT_SECONDS = 0.5
"""Time to take a soft lock that is free, or left behind by a process of this machine that is dead."""


class InUse(InputError):
    """Another process holds the folder."""


@contextmanager
def locked(
    folder: Path,
    waiting: Callable[[str], None] | None = None,
    warn: Callable[[str], None] = lambda sentence: None,
) -> Iterator[Path]:
    """Make `folder` and hold it until the end of the block, or of the process, however it ends.

    While another process holds it, raise `InUse`; or wait, where `waiting` is given, which is called once with a
    sentence. On a file system without locks a file stands for the lock, and `warn` is called with a sentence; one that
    a dead process of this machine left behind counts for nothing, one of another machine has to be deleted by hand.
    Old files that interrupted writes left in the folder are removed. Raises `InputError` when the folder cannot be
    written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = _acquire(folder, 0)
        except InUse:
            if waiting is None:
                raise
            waiting(f"Waiting for another process to be done with {folder}")
            lock = _acquire(folder, -1)
        if isinstance(lock, SoftFileLock):
            warn(f"The file system of {folder} has no locks; a file in it, {SOFT_FILE}, stands for one.")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}.") from error
    try:
        sweep(folder)
        yield folder
    finally:
        lock.release()


def _acquire(folder: Path, timeout: float) -> BaseFileLock:
    """The lock, held; raises `InUse` when another process has it for longer than `timeout` seconds (-1: for ever)."""
    lock: BaseFileLock = FileLock(folder / FILE, timeout=timeout, fallback_to_soft=False)
    sentence = f"{folder} is in use by another process."
    try:
        try:
            lock.acquire()
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            lock = SoftFileLock(folder / SOFT_FILE, timeout=timeout or SOFT_SECONDS)
            sentence = f"{sentence[:-1]}, or one that was killed on another machine left {folder / SOFT_FILE} behind."
            lock.acquire()
    except Timeout:
        raise InUse(sentence) from None
    return lock
