"""Commands as a user runs them, each in a process of its own."""

import os
import runpy
import subprocess
import sys
import tempfile
from multiprocessing import forkserver, get_context
from pathlib import Path
from typing import Any
from unittest import mock

from hydra import compose, initialize_config_dir

from common.command import plain

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        *("torch", "torch._dynamo", "procgen", "hydra", "pandas", "pyarrow.parquet", "pydantic", "rich.console"),
        *("sklearn.decomposition", "scipy.stats", "skimage.metrics", "matplotlib.pyplot"),
    ]
)
"""The seconds that a command takes to start."""
SECONDS = 300


def run(script: str, *arguments: str, cwd: Path, fresh: bool = False) -> subprocess.CompletedProcess[str]:
    """A command to its end, forked from a process that has torch and the like loaded.

    With `fresh` it is a Python of its own, as a user's is. Every command is run so once, and so is what joblib
    launches, which waits forever at the end of a forked process.
    """
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *arguments]
    environment = os.environ | ENVIRONMENT
    if fresh:
        return subprocess.run(
            command, capture_output=True, text=True, cwd=cwd, env=environment, timeout=SECONDS, check=False
        )
    with mock.patch.dict(os.environ, ENVIRONMENT):
        forkserver.ensure_running()
    with tempfile.TemporaryDirectory() as folder:
        output, errors = (Path(folder) / name for name in ("output", "errors"))
        process = FORKS.Process(target=_command, args=(command[1:], cwd, environment, output, errors))
        process.start()
        process.join(SECONDS)
        if process.exitcode is None:
            process.kill()
            raise subprocess.TimeoutExpired(command, SECONDS, output.read_text(), errors.read_text())
        return subprocess.CompletedProcess(command, process.exitcode, output.read_text(), errors.read_text())


def _command(arguments: list[str], cwd: Path, environment: dict[str, str], output: Path, errors: Path) -> None:
    """What `python SCRIPT ARGUMENTS` does, in a process that was forked for it."""
    for path, descriptor in ((output, 1), (errors, 2)):
        with path.open("wb") as file:
            os.dup2(file.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    sys.argv = arguments
    sys.path.insert(0, str(SCRIPTS))
    runpy.run_path(arguments[0], run_name="__main__")


def refused(script: str, *arguments: str, cwd: Path, fresh: bool = False) -> str:
    """The one sentence that a command ends with; no traceback, and nothing left behind."""
    done = run(script, *arguments, cwd=cwd, fresh=fresh)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("Error executing job")]
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert not list(cwd.rglob("*.json")) + list(cwd.rglob("*.parquet")) + list(cwd.rglob("*.zip"))
    return lines[0]


def namesakes(folder: Path) -> Path:
    """Packages with the names of this project's, as others on the path may have: `agents` is one on PyPI."""
    for name in ("agents", "rollouts", "scoring", "common"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(f"raise SystemExit('another {name} was imported')\n")
    return folder


def configuration(command: str, *overrides: str) -> dict[str, Any]:
    """What Hydra makes of a command's files."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return plain(compose(command, list(overrides)))
