"""The fast path with the procgen preset fits into the memory of a small machine."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents.computation import missing_for_compiling

LIMIT = 1.5 * 2**30


@pytest.mark.slow
@pytest.mark.parametrize("network", ["impala", "clear", "compact"])
def test_peak_memory_of_two_updates(network: str, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts/train.py"
    compiled = network != "impala" and missing_for_compiling() is None
    arguments = [f"network={network}", "train.total_steps=32768", "run.evaluation_episodes=0", "run.torch_threads=2"]
    process = subprocess.Popen(
        [sys.executable, str(script), *arguments, f"run.compiled={str(compiled).lower()}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    peak = usage.ru_maxrss * 1024
    print(f"{network}: {peak / 2**30:.2f} GiB")
    assert peak < LIMIT
