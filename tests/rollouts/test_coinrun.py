"""Level ranges, options and a quiet import."""

import subprocess
import sys

import numpy as np
import pytest

from rollouts.env import FIRST_UNSEEN_LEVEL, LAST_LEVEL, EnvOptions, make_env, observe, renderer_sha256
from rollouts.errors import InputError


def levels_met(options: EnvOptions) -> set[int]:
    """Level seeds of 400 steps of random play in 16 environments."""
    env = make_env(16, options, seed=1)
    generator = np.random.default_rng(0)
    met: set[int] = set()
    for _ in range(400):
        met |= {int(info["level_seed"]) for info in env.get_info()}
        env.act(generator.integers(0, 15, 16, dtype=np.int32))
    return met


def test_a_range_is_played_and_nothing_else() -> None:
    assert levels_met(EnvOptions(num_levels=3, start_level=50)) == {50, 51, 52}


def test_training_and_unseen_levels_are_disjoint() -> None:
    everything = EnvOptions()
    assert max(levels_met(everything)) < FIRST_UNSEEN_LEVEL <= min(levels_met(everything.unseen()))
    assert max(levels_met(everything.unseen())) < LAST_LEVEL


@pytest.mark.parametrize(
    "values",
    [
        {"num_levels": -1},
        {"start_level": -5, "num_levels": 10},
        {"start_level": 5},
        {"num_levels": 2, "start_level": LAST_LEVEL - 1},
        {"distribution_mode": "extreme"},
    ],
)
def test_ranges_that_cannot_be_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(InputError):
        EnvOptions(**values)  # type: ignore[arg-type]


def test_frames_are_copies() -> None:
    env = make_env(1, EnvOptions(), seed=0)
    _, before, first = observe(env)
    kept = before.copy()
    for _ in range(5):
        env.act(np.array([7], dtype=np.int32))
    assert first.all()
    assert np.array_equal(before, kept)
    assert not np.array_equal(observe(env)[1], kept)


def test_painted_velocity_shows_in_the_corner() -> None:
    painted = observe(make_env(1, EnvOptions(num_levels=1), seed=0))[1][0]
    bare = observe(make_env(1, EnvOptions(num_levels=1, paint_velocity=False), seed=0))[1][0]
    different = (painted != bare).any(axis=-1)
    assert different[:12, :25].all()
    assert not different[14:].any()


def test_importing_prints_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", "import rollouts.coinrun"], capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == ""
    assert len(renderer_sha256()) == 64
