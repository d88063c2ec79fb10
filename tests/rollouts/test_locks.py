"""One process at a time in a folder: a second one, a killed one, a waiting one, and file systems without locks."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rollouts.errors import InputError
from rollouts.locks import FILE, SOFT_FILE, InUse, locked

ROOT = Path(__file__).parents[2]
HOLD = """
import sys, time
from pathlib import Path
from rollouts.locks import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""
WITHOUT_LOCKS = """
import errno, fcntl, os
def flock(*arguments):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
fcntl.flock = flock
"""


@contextmanager
def holder(folder: Path, before: str = "") -> Iterator["subprocess.Popen[str]"]:
    """A process that holds the folder until the end of the block."""
    command = [sys.executable, "-c", before + HOLD, str(folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answers of file systems that have no locks."""

    def flock(*arguments: object) -> None:
        number = getattr(errno, request.param)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


def test_a_second_one_is_refused_and_a_later_one_is_not(tmp_path: Path) -> None:
    folder = tmp_path / "a/new/folder"
    with locked(folder) as held:
        assert held == folder
        with pytest.raises(InUse, match="folder is in use by another process"), locked(folder):
            pass
        with locked(tmp_path / "another"):
            pass
    with locked(folder):
        pass


def test_an_error_in_the_block_gives_the_folder_back(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path):
        raise ZeroDivisionError
    with locked(tmp_path):
        pass


def test_another_process_holds_it_until_it_is_killed(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        with pytest.raises(InUse), locked(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        with locked(tmp_path):
            pass


def test_the_lock_is_the_one_of_the_kernel(tmp_path: Path) -> None:
    """Processes of an older version lock the same file with flock."""
    with (tmp_path / FILE).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InUse), locked(tmp_path):
            pass
    with locked(tmp_path), (tmp_path / FILE).open("w") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_waiting_is_told_once_and_ends_with_the_holder(tmp_path: Path) -> None:
    sentences: list[str] = []
    with holder(tmp_path) as process:
        killing = threading.Timer(1, process.kill)
        began = time.monotonic()
        killing.start()
        with locked(tmp_path, sentences.append):
            assert time.monotonic() - began >= 0.9
    assert sentences == [f"Waiting for another process to be done with {tmp_path}"]
    with locked(tmp_path, sentences.append, sentences.append):
        assert len(sentences) == 1, "nobody to wait for, and a lock of the kernel"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder" / FILE).mkdir(parents=True)
    for folder, why in (("file", "File exists"), ("file/below", "Not a directory"), ("folder", "Is a directory")):
        with pytest.raises(InputError, match=f"{folder} cannot be written: {why}"), locked(tmp_path / folder):
            pass


@pytest.mark.usefixtures("without_locks")
def test_a_file_stands_for_the_lock_where_there_is_none(tmp_path: Path) -> None:
    for _ in range(2):
        sentences: list[str] = []
        with locked(tmp_path, warn=sentences.append):
            assert sentences == [
                f"The file system of {tmp_path} has no locks; a file in it, .lock.soft, stands for one."
            ]
            assert (tmp_path / SOFT_FILE).read_text().startswith(f"{os.getpid()}\n")
            left = f"in use by another process, or .* left .*{SOFT_FILE} behind"
            with pytest.raises(InUse, match=left), locked(tmp_path):
                pass
        assert not (tmp_path / SOFT_FILE).exists()


@pytest.mark.usefixtures("without_locks")
def test_a_file_that_a_dead_process_left_behind_counts_for_nothing(tmp_path: Path) -> None:
    with holder(tmp_path, WITHOUT_LOCKS) as process:
        with pytest.raises(InUse), locked(tmp_path):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / SOFT_FILE).exists()
        with locked(tmp_path):
            assert (tmp_path / SOFT_FILE).read_text().startswith(f"{os.getpid()}\n")


@pytest.mark.usefixtures("without_locks")
def test_a_file_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    text = f"{os.getpid()}\nanother-machine\n"
    (tmp_path / SOFT_FILE).write_text(text)
    with pytest.raises(InUse, match="killed on another machine"), locked(tmp_path):
        pass
    assert (tmp_path / SOFT_FILE).read_text() == text
