"""Files that are either the old version or the new one, never half of it, and what an interrupted write leaves."""

import os
import re
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rollouts.errors import InputError

_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}(\.[^.]+)?", re.DOTALL)
"""Names that `atomic_path` gives to files until they are whole; until then nobody else may read them either."""
OLD = 3600
"""Seconds after which nothing writes to such a file any more."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success flush it to disk and rename it to `path`.

    The folder is made when it is missing. On any error the temporary file is removed and what stood at
    `path` before is untouched. Raises `InputError` when the folder cannot be written or the disk is full.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | Path, content: str | bytes) -> None:
    """Write text (UTF-8) or bytes to `path` through `atomic_path`."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)


def visible(folder: Path, pattern: str) -> list[Path]:
    """What matches a pattern in a folder, by name, without what is hidden, as files are that a write left behind."""
    return sorted(
        path
        for path in folder.glob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def sweep(folder: Path) -> None:
    """Remove what interrupted calls of `atomic_path` left in a folder: files of this user with such a name, and old."""
    for path in folder.glob(".*"):
        try:
            found = path.lstat()
            private = stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600
            ours = private and found.st_uid == os.geteuid() and _TEMPORARY.fullmatch(path.name)
            if ours and time.time() - found.st_mtime > OLD:
                path.unlink()
        except OSError:  # somebody else was faster, or nobody may
            continue
