"""What an interrupted write leaves behind is taken for nothing, and swept; nothing else is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rollouts.files import OLD, atomic_path, sweep, visible
from rollouts.locks import locked

ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from pathlib import Path
from rollouts.files import atomic_path
with atomic_path(Path(sys.argv[1])) as temporary:
    temporary.write_bytes(b"half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def left_over(path: Path, age: float = 2 * OLD) -> Path:
    """What a killed write of `path` leaves, as it looks `age` seconds later."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = path.parent.glob(f".{path.stem}.*")
    os.utime(left, (time.time() - age,) * 2)
    return left


@pytest.mark.parametrize("name", ["one.safetensors", "state.new.safetensors", "bank", "ein Bild (1).png", "\n.zip"])
def test_an_old_left_over_is_swept_when_the_folder_is_held(tmp_path: Path, name: str) -> None:
    left = left_over(tmp_path / name)
    assert left.exists()
    with locked(tmp_path):
        assert not left.exists()


def test_a_left_over_of_the_last_hour_may_be_of_a_write_that_goes_on(tmp_path: Path) -> None:
    left = left_over(tmp_path / "one.safetensors", OLD / 2)
    with atomic_path(tmp_path / "two.safetensors") as writing:
        sweep(tmp_path)
        assert writing.exists()
    assert left.exists()


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    files = [".lock", ".lock.soft", ".env", ".gitignore", ".one.safetensors", ".a.12345678.zip", "a.12345678.zip"]
    for name in (*files, ".x.abcdefg_"):
        (tmp_path / name).write_text("mine")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".env").chmod(0o600)
    (tmp_path / ".b.12345678").mkdir(mode=0o600)
    (tmp_path / ".c.12345678").symlink_to(tmp_path / ".env")
    before = sorted(tmp_path.iterdir())
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == before


def test_hidden_files_are_not_among_those_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / ".hidden place"
    for name in ("b.zip", "a.zip", ".a.0zb7wzpy.zip", "deep/c.zip", ".trash/d.zip", "deep/.c.0zb7wzpy.zip", "e.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    assert visible(folder, "*.zip") == [folder / "a.zip", folder / "b.zip"]
    assert visible(folder, "**/*.zip") == [folder / "a.zip", folder / "b.zip", folder / "deep/c.zip"]
    assert visible(folder / "nowhere", "*.zip") == []
