"""The benchmark as a user runs it."""

import json
from pathlib import Path

import pytest

from commands import refused, run

SMALL = ("threads=1", "rounds=1", "network=impala", "train.ppo.num_envs=4", "train.ppo.rollout_steps=8")


@pytest.mark.long
def test_a_ratio_below_the_least_is_an_error_and_the_figures_are_there(tmp_path: Path) -> None:
    done = run("benchmark", "target=train", "min_ratio=1000", *SMALL, cwd=tmp_path, fresh=True)
    assert done.returncode == 1
    assert "error: impala: fast is" in done.stderr
    assert "times plain, not 1000.0." in done.stderr
    written = json.loads((tmp_path / "runs/benchmark/train-impala-cpu-t1/benchmark.json").read_text())
    rates = {name: row["steps_per_second"] for name, row in written["variants"].items()}
    assert set(rates) == {"plain", "fast", "contiguous"}
    assert written["ratio"] == rates["fast"] / rates["plain"]
    assert "1 of" in written["machine"]["description"]


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    assert refused("benchmark", "target=trian", cwd=tmp_path).endswith(
        "target is 'trian'; it can be train, changes, env, masks, score."
    )
    assert "There is no network 'resnet'" in refused("benchmark", "network=resnet", cwd=tmp_path)
