"""Folders that one process holds at a time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, SoftFileLock, Timeout

from rollouts.errors import InputError

FILE = ".lock"


class InUse(InputError):
    """Another process holds the folder."""


@contextmanager
def locked(folder: Path, waiting: Callable[[str], None] | None = None) -> Iterator[Path]:
    """Make `folder` and hold it until the end of the block, or of the process, however it ends.

    While another process holds it, raise `InUse`; or wait, where `waiting` is given, which is told so once. On a file
    system without locks the lock is a file that a killed process leaves behind. Raises `InputError` when the folder
    cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _acquire(folder, 0)
        if lock is None:
            if waiting is None:
                raise InUse(f"{folder} is in use by another process.")
            waiting(f"Waiting for another process to be done with {folder}")
            lock = _acquire(folder, -1)
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}.") from error
    assert lock is not None
    try:
        yield folder
    finally:
        lock.release()


def _acquire(folder: Path, timeout: float) -> BaseFileLock | None:
    """The lock, held; None where another process has it for longer than `timeout` seconds (-1: wait for ever)."""
    for kind in (FileLock, SoftFileLock):
        lock: BaseFileLock = kind(folder / FILE, timeout=timeout)
        try:
            lock.acquire()
            return lock
        except Timeout:
            return None
        except NotImplementedError:  # the file system has no locks
            continue
    return None
