"""A sweep through a real SLURM: killed, requeued, failing and finished jobs, as a user sees them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from agents.checkpoint import load_agent
from commands import ROOT
from slurm_cluster import Cluster, cluster, missing_programs
from test_sweeps import SMALL, folder_of, listed, logged, said, wait_for

STEPS = 3072
COMMAND = [
    sys.executable,
    str(ROOT / "scripts/train.py"),
    "-m",
    *SMALL,
    "run.env_threads=1",
    f"train.total_steps={STEPS}",
    "env.num_levels=5,6,7,8,9,10,11,12",
    "hydra/launcher=slurm",
    "hydra.launcher.cpus_per_task=1",
    "hydra.launcher.mem_gb=1",
    "hydra.launcher.timeout_min=30",
    "hydra.launcher.partition=main",
]
FAILING = 12
PACKAGES = "Debian has them in slurm-wlm, munge, slurmdbd and mariadb-server"


@pytest.fixture
def slurm(tmp_path: Path) -> Iterator[Cluster]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"no {', '.join(missing)}; {PACKAGES}")
    folder = tmp_path / "slurm"
    folder.mkdir()
    with cluster(folder) as running:
        yield running


def start(slurm: Cluster, output: Path) -> "subprocess.Popen[bytes]":
    """Start the sweep; it ends with the cluster, whose environment it has."""
    with output.open("wb") as file:
        return subprocess.Popen(COMMAND, cwd=output.parent, env=slurm.environment, stdout=file, stderr=file)


def raw_id(slurm: Cluster, task: int) -> str:
    """The job number of a task of the array, which its steps are named by."""
    rows = [line.split() for line in slurm("squeue", "--noheader", "--array", "--format=%K %A").splitlines()]
    return dict(rows)[str(task)]


def wait_shortened(slurm: Cluster, sweep: "subprocess.Popen[bytes]") -> int:
    """Wait for a sweep, whose requeued jobs need not wait the two minutes that SLURM would let them."""
    deadline = time.monotonic() + 480
    while sweep.poll() is None:
        assert time.monotonic() < deadline, slurm("squeue")
        for line in slurm("squeue", "--noheader", "--array", "--format=%A %r").splitlines():
            job, reason = line.split(maxsplit=1)
            if reason == "BeginTime":
                slurm("scontrol", "update", f"JobId={job}", "StartTime=now")
        time.sleep(0.5)
    return sweep.returncode


@pytest.mark.slurm
def test_a_sweep_through_slurm(slurm: Cluster, tmp_path: Path) -> None:
    """Eight jobs, two at a time: SLURM requeues the first, and tells the second that its time is up; the last fails."""
    damaged = tmp_path / folder_of(FAILING) / "state.safetensors"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("damaged")
    sweep = start(slurm, tmp_path / "first")
    wait_for(lambda: all(logged(tmp_path / folder_of(levels), 1) for levels in (5, 6)), sweep)
    print(slurm("sinfo"), slurm("squeue"), sep="\n")
    requeued, timed_out = raw_id(slurm, 0), raw_id(slurm, 1)
    slurm("scontrol", "requeue", requeued)
    slurm("scancel", "--signal=USR2", f"{timed_out}.0")
    assert wait_shortened(slurm, sweep) == 1
    text = (tmp_path / "first").read_text()
    wait_for(lambda: not slurm("squeue", "--noheader"))
    wait_for(lambda: "RUNNING" not in slurm("sacct", "--allocations"))
    accounts = slurm("sacct", "--duplicates", "--allocations", "--format=JobID,JobName,State,ExitCode,Elapsed")
    print(text, accounts, sep="\n")
    assert text.splitlines()[-1] == "error: 8 jobs: 7 done, 1 failed."
    rows = listed(text)
    assert [rows[number].split(" | ")[1] for number in range(8)] == ["done"] * 7 + ["failed"]
    assert "state.safetensors is not a complete safetensors file" in said(tmp_path / "first")
    for task, number in ((0, requeued), (1, timed_out)):
        states = [line.split()[2] for line in accounts.splitlines() if line.split()[0].endswith(f"_{task}")]
        assert states == ["REQUEUED", "COMPLETED"], number
        (log,) = tmp_path.glob(f"runs/.sweeps/*/*_{task}/*_log.err")
        assert "Stopped; the same command goes on from" in log.read_text()
        assert len(list((tmp_path / folder_of(5 + task)).glob("events*"))) == 2, "it went on, and once"
    agents = {levels: tmp_path / folder_of(levels) / "agent.safetensors" for levels in range(5, FAILING)}
    assert {load_agent(path).steps for path in agents.values()} == {STEPS}
    assert len(list((tmp_path / folder_of(7)).glob("events*"))) == 1

    damaged.unlink()
    before = [path.stat().st_mtime_ns for path in agents.values()]
    for name, end in (("second", "8 jobs: 1 done, 7 finished before."), ("third", "8 jobs: 8 finished before.")):
        assert start(slurm, tmp_path / name).wait(timeout=240) == 0
        print((tmp_path / name).read_text())
        assert (tmp_path / name).read_text().splitlines()[-1] == end
    assert [path.stat().st_mtime_ns for path in agents.values()] == before


BROKEN_OFF = """
import os, signal, sys
from pathlib import Path
from slurm_cluster import cluster
from test_sweeps import wait_for
with cluster(Path(sys.argv[1])) as running:
    running("sbatch", "--output=/dev/null", "--wrap", "srun sleep 600")
    wait_for(lambda: "R" in running("squeue", "--noheader", "--format=%t"))
    wait_for(lambda: "1.0" in running("sacct", "--noheader", "--format=JobID"))
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slurm
def test_nothing_of_slurm_is_left(tmp_path: Path) -> None:
    """Not even when the tests are killed."""
    if missing_programs():
        pytest.skip(PACKAGES)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    killed = subprocess.run([sys.executable, "-c", BROKEN_OFF, str(tmp_path)], env=environment, check=False)
    assert killed.returncode == -signal.SIGKILL
    wait_for(lambda: not started_in(tmp_path))


def started_in(folder: Path) -> list[int]:
    """Processes whose environment or command names a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(folder).encode() in (path / name).read_bytes() for name in ("environ", "cmdline")):
                found.append(int(path.name))
    return found
