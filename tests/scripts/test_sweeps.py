"""Sweeps on one machine: every job comes to its end, whatever becomes of the others, and the command goes on."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

import common.values
from agents.checkpoint import load_agent, save_agent, untrained_agent
from agents.naming import agent_files, named_agents
from agents.states import STATE
from agents.tensors import load_tensors
from commands import ROOT, refused, run
from common.joblib_worker import gpu_names
from common.stopping import Stopped, stoppable
from common.sweeps import Outcome, State, SweepFailed, conclude, summary, with_agents
from common.values import cores
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.locks import InUse, locked

SMALL = ["train.ppo.num_envs=8", "train.ppo.rollout_steps=32", "run.evaluation_episodes=0"]
JOBLIB = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]


def folder_of(levels: int) -> str:
    return f"runs/train/compact-hard-n{levels}-s0-numenvs8-rolloutsteps32"


def opened(text: str) -> str:
    (override,) = OverridesParser.create().parse_overrides([text])
    return with_agents(override)


def listed(stdout: str) -> dict[int, str]:
    """The rows of the table at a sweep's end: what stands behind each job's number."""
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in stdout.splitlines() if line[:1] == "│"]
    return {int(first): " | ".join(rest) for first, *rest in cells if first.isdigit()}


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of two agents and a file that is none, with names that Hydra's grammar would take apart."""
    folder = tmp_path_factory.mktemp("agents")
    for name, seed in (("b, it's 2", 2), ("a=1", 1)):
        save_agent(folder / f"{name}.safetensors", untrained_agent("compact", EnvOptions(), seed))
    (folder / "broken.safetensors").write_text("no agent")
    (folder / "curve.png").write_text("no agent either")
    return folder


def test_a_folder_stands_for_its_agents_in_order(agents: Path) -> None:
    names = [str(agents / f"{name}.safetensors") for name in ("a=1", "b, it's 2", "broken")]
    assert agent_files(str(agents)) == names
    for text, expected in (
        (f"agent={agents}", names),
        (f"agent=x.safetensors,'{agents}'", ["x.safetensors", *names]),
    ):
        (parsed,) = OverridesParser.create().parse_overrides([opened(text)])
        assert [getattr(value, "text", value) for value in parsed.sweep_iterator()] == expected
    for text in ("seed=1,2", "agent=a,b", f"bank={agents}", "agent=[a,b]"):
        assert opened(text) == text


def test_without_m_a_folder_is_a_list(agents: Path, tmp_path: Path) -> None:
    (agents / "broken.safetensors").rename(tmp_path / "broken.safetensors")
    assert [name[:4] for name, _ in named_agents(str(agents))] == ["a=1-", "b, i"]
    assert "use -m with agent=a,b" in refused("score", f"agent={agents}", cwd=tmp_path)
    (tmp_path / "broken.safetensors").rename(agents / "broken.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty is a folder without agents"):
        named_agents(str(tmp_path / "empty"))


def test_an_empty_sweep_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty is a folder without agents" in refused("score", "-m", "agent=empty", cwd=tmp_path)
    sentence = refused("score", "-m", "agent=a.safetensors", "experiment=glob(nothing*)", cwd=tmp_path)
    assert sentence == "error: experiment=glob(nothing*) is an empty sweep; nothing matches it."
    assert "seed=range(3, 3) is an empty sweep" in refused("train", "-m", "seed=range(3, 3)", cwd=tmp_path)


def test_a_launcher_that_is_not_installed_names_its_extra(tmp_path: Path) -> None:
    """Everything that is installed, but for the extra."""
    site = tmp_path / "site"
    site.mkdir()
    extra = ("hydra_plugins", "submitit", "hydra_joblib_launcher", "hydra_submitit_launcher")
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if path.name.split("-")[0] not in extra:
            (site / path.name).symlink_to(path)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(site))), "OMP_NUM_THREADS": "1"}
    for launcher in ("joblib", "slurm"):
        command = [sys.executable, "-S", str(ROOT / "scripts/train.py"), "-m", f"hydra/launcher={launcher}", "seed=0,1"]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        package = {"joblib": "hydra-joblib-launcher", "slurm": "hydra-submitit-launcher"}[launcher]
        assert done.stderr == (
            f"error: hydra/launcher={launcher} needs {package}; pip install -e '.[sweeps]' installs it.\n"
        )


def test_a_folder_with_an_agent_that_cannot_be_read(agents: Path, tmp_path: Path) -> None:
    command = ("collect", "-m", f"agent={agents}", "frames=64", "pool_frames=0")
    first = run(*command, cwd=tmp_path)
    assert first.returncode == 1
    assert first.stderr.splitlines()[-1] == "error: 3 jobs: 2 done, 1 failed."
    assert [row.split(" | ")[1] for row in listed(first.stdout).values()] == ["done", "done", "failed"]
    assert f"{agents / 'broken.safetensors'} is not a complete safetensors file" in first.stderr
    banks = list((tmp_path / "runs/collect").glob("*/bank.zip"))
    before = [path.stat().st_mtime_ns for path in banks]
    assert len(banks) == 2
    again = run(*command, cwd=tmp_path)
    assert again.stderr.splitlines()[-1] == "error: 3 jobs: 2 finished before, 1 failed."
    assert [path.stat().st_mtime_ns for path in banks] == before


@pytest.mark.long
def test_a_serial_sweep_that_is_stopped_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/train.py"), "-m", *SMALL, "env.num_levels=5,6"]
    with started([*command, "train.total_steps=1000000"], tmp_path / "output") as sweep:
        wait_for(lambda: logged(tmp_path / folder_of(5), 1), sweep)
        sweep.send_signal(signal.SIGTERM)
        assert sweep.wait(timeout=180) == 75
    text = (tmp_path / "output").read_text()
    assert "2 jobs: 1 stopped, 1 not started; the same command goes on." in text
    assert not (tmp_path / folder_of(6)).exists()
    steps = int(load_tensors(tmp_path / folder_of(5) / STATE)[1]["steps"])
    assert steps > 0
    done = run("train", "-m", *SMALL, "env.num_levels=5,6", f"train.total_steps={steps + 256}", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 jobs: 2 done." in done.stdout
    assert [at for at, _ in load_agent(tmp_path / folder_of(5) / "agent.safetensors").curve][-1:] in ([steps + 256], [])


@pytest.mark.long
def test_joblib_runs_every_job_and_once(tmp_path: Path) -> None:
    command = ("train", "-m", *SMALL, *JOBLIB, "train.total_steps=512", "env.num_levels=5,-1,6,7")
    first = run(*command, cwd=tmp_path, fresh=True)
    assert first.returncode == 1
    assert first.stderr == "error: 4 jobs: 3 done, 1 failed.\n"
    assert listed(first.stdout)[1].startswith("env.num_levels=-1 | failed | num_levels is -1; it must be positive")
    trained = [tmp_path / folder_of(levels) / "agent.safetensors" for levels in (5, 6, 7)]
    assert [load_agent(path).steps for path in trained] == [512] * 3
    alone = run(
        "train", *SMALL, "train.total_steps=512", "env.num_levels=5", f"hydra.run.dir={tmp_path}/alone", cwd=tmp_path
    )
    assert alone.returncode == 0, alone.stderr
    assert (tmp_path / "alone/agent.safetensors").read_bytes() == trained[0].read_bytes()
    before = [path.stat().st_mtime_ns for path in trained]
    again = run(*command, cwd=tmp_path, fresh=True)
    assert again.stderr == "error: 4 jobs: 3 finished before, 1 failed.\n"
    assert [path.stat().st_mtime_ns for path in trained] == before
    logs = sorted(tmp_path.glob("runs/.sweeps/*/*.log"))
    assert [path.name for path in logs] == ["0.log", "1.log", "2.log", "3.log"] * 2
    assert "is finished; nothing to do." in logs[-1].read_text()


@pytest.mark.long
def test_joblib_stopped_or_with_a_killed_process_goes_on(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(ROOT / "scripts/train.py"),
        "-m",
        *SMALL,
        *JOBLIB,
        "env.num_levels=5,6,7",
        "train.total_steps=1000000",
    ]
    for start, stop in enumerate((signal.SIGTERM, signal.SIGKILL), start=1):
        with started(command, tmp_path / stop.name) as sweep:
            wait_for(lambda start=start: all(logged(tmp_path / folder_of(levels), start) for levels in (5, 6)), sweep)
            before = written(tmp_path)
            with pytest.raises(InUse), locked(tmp_path / folder_of(5)):
                pass
            sweep.send_signal(stop)
            assert sweep.wait(timeout=180) == (-signal.SIGKILL if stop == signal.SIGKILL else 75)
        if stop != signal.SIGKILL:
            assert "3 jobs: 2 stopped, 1 not started; the same command goes on." in said(tmp_path / stop.name)
        wait_for(lambda before=before: not set(before) & set(written(tmp_path)) and len(written(tmp_path)) == 2)
        with locked(tmp_path / folder_of(5), print), locked(tmp_path / folder_of(6), print):
            pass
    with started(command, tmp_path / "killed") as sweep:
        wait_for(lambda: all(logged(tmp_path / folder_of(levels), 3) for levels in (5, 6)), sweep)
        os.kill(processes_of(sweep.pid)[0], signal.SIGKILL)
        assert sweep.wait(timeout=180) == 1
    assert "A process was killed, and with it all; the same command goes on." in said(tmp_path / "killed")
    assert not (tmp_path / folder_of(7)).exists()


def written(folder: Path) -> list[int]:
    """When each state under a folder was written."""
    return [path.stat().st_mtime_ns for path in folder.glob(f"runs/train/*/{STATE}")]


def said(output: Path) -> str:
    """What a command said, its tables taken apart."""
    return " ".join(output.read_text().replace("│", " ").split())


def logged(folder: Path, start: int) -> bool:
    """Whether a training has logged an update after it was started for the `start`-th time."""
    logs = sorted(folder.glob("events*"), key=lambda path: path.stat().st_mtime)
    return len(logs) == start and logs[-1].stat().st_size > 500


def processes_of(parent: int) -> list[int]:
    """Processes of joblib that a sweep started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            if stat.read_text().rsplit(")", 1)[1].split()[1] == str(parent):
                command = (stat.parent / "cmdline").read_bytes()
                found += [int(stat.parent.name)] if b"popen_loky" in command else []
        except OSError:
            continue
    return found


@contextmanager
def started(command: list[str], output: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A command in the folder of its output, which does not outlive the block."""
    with output.open("wb") as file:
        process = subprocess.Popen(command, cwd=output.parent, stdout=file, stderr=file)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(condition: object, process: "subprocess.Popen[bytes] | None" = None) -> None:
    """Wait until `condition()` holds; fails after three minutes, or when `process` has ended before."""
    assert callable(condition)
    deadline = time.monotonic() + 180
    while not condition():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None
        time.sleep(0.1)


def test_what_a_sweep_says_at_its_end() -> None:
    def outcome(number: int, state: State) -> Outcome:
        return Outcome(number, ("network=clear", f"seed={number}"), state)

    done = [outcome(0, State.DONE), outcome(1, State.FINISHED)]
    assert conclude(done) == "2 jobs: 1 done, 1 finished before."
    with pytest.raises(Stopped, match="3 jobs: 1 done, 1 finished before, 1 in use; the same command goes on"):
        conclude([*done, outcome(2, State.IN_USE)])
    with pytest.raises(SweepFailed, match="4 jobs: 1 done, 1 finished before, 1 failed, 1 stopped"):
        conclude([*done, outcome(2, State.FAILED), outcome(3, State.STOPPED)])
    assert list(summary(done).columns[1].cells) == ["seed=0", "seed=1"], "what all share is left out"
    assert list(summary(done[:1]).columns[1].cells) == ["network=clear seed=0"]


def test_one_gpu_for_each_job_where_there_are_several() -> None:
    assert gpu_names(1, {}) == ()
    assert gpu_names(3, {}) == ("0", "1", "2")
    assert gpu_names(2, {"CUDA_VISIBLE_DEVICES": "4,7"}) == ("4", "7")


def test_threads_are_limited_as_joblib_limits_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common.values.os, "sched_getaffinity", lambda _: set(range(8)))
    for value, expected in (("2", 2), ("16", 8), ("", 8), ("many", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cores() == expected


def test_signals_are_gathered_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable() as received:
        assert not received
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.raise_signal(number)
        assert received == [signal.SIGTERM, signal.SIGUSR2]
    assert signal.getsignal(signal.SIGTERM) is before
