"""Environments where procgen's own loader of pictures ends the process: under names with letters beyond ASCII."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

import rollouts.env
from rollouts.env import ASSETS, EnvOptions, make_env, observe, readable
from rollouts.errors import InputError

ROOT = Path(__file__).parents[2]
PLAYED = """
import procgen, sys
import numpy as np
from rollouts.env import EnvOptions, make_env, observe
assert "größe" in procgen.__file__
for options in (EnvOptions(num_levels=3), EnvOptions("easy", num_levels=3)):
    env = make_env(2, options, seed=5)
    for _ in range(40):
        env.act(np.full(2, 7, dtype=np.int32))
        _, frames, _ = observe(env)
    np.save(f"{sys.argv[1]}/{options.distribution_mode}.npy", frames)
"""


def played(folder: Path, packages: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Python with the packages of `packages` alone."""
    paths = os.pathsep.join((str(ROOT), str(packages)))
    return subprocess.run(
        [sys.executable, "-S", "-c", PLAYED, str(folder)],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_a_virtual_environment_under_any_name_draws_the_same(tmp_path: Path, locale: str) -> None:
    packages = tmp_path / "die größe des Ordners/.venv/site-packages"
    packages.mkdir(parents=True)
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        (packages / path.name).symlink_to(path)
    done = played(tmp_path, packages, LC_ALL=locale)
    assert done.returncode == 0, done.stderr
    for options in (EnvOptions(num_levels=3), EnvOptions("easy", num_levels=3)):
        env = make_env(2, options, seed=5)
        for _ in range(40):
            env.act(np.full(2, 7, dtype=np.int32))
            _, frames, _ = observe(env)
        np.testing.assert_array_equal(np.load(tmp_path / f"{options.distribution_mode}.npy"), frames)


def test_a_folder_has_an_ascii_name_as_long_as_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "ü").mkdir()
    (tmp_path / "ü/one").touch()
    with readable(tmp_path / "ü") as name:
        assert name.isascii()
        assert name.endswith("/")
        assert [path.name for path in Path(name).iterdir()] == ["one"]
    assert not Path(name).is_dir()
    with readable(ASSETS) as name:
        assert Path(name) == ASSETS


def test_without_proc_a_sentence_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ü").mkdir()
    monkeypatch.setattr(rollouts.env.Path, "is_dir", lambda path: False)
    before = len(list(Path("/dev/fd").iterdir()))
    with pytest.raises(InputError, match="letters beyond ASCII"), readable(tmp_path / "ü"):
        pass
    assert len(list(Path("/dev/fd").iterdir())) == before
