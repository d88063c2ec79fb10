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

import joblib.externals.loky.backend.context as loky_context
import pytest
import torch
from hydra.core.override_parser.overrides_parser import OverridesParser

from agents.checkpoint import load_agent, save_agent, untrained_agent
from agents.naming import agent_files, named_agents
from agents.states import STATE
from agents.tensors import load_tensors, save_tensors
from commands import ROOT, namesakes, refused, run
from common.cores import cores, keep_to_cores
from common.joblib_worker import gpu_names
from common.stopping import Stopped, stoppable
from common.sweeps import Outcome, State, SweepFailed, check_apart, conclude, summary, with_agents
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


@pytest.fixture
def trainings(tmp_path: Path) -> Path:
    """A folder of two finished trainings, with what they keep beside their agents, and of one that is not finished."""
    for seed, name in enumerate(("one", "two")):
        for kept in ("agent-1of2", "agent", ".agent.0zb7wzpy"):
            save_agent(tmp_path / f"runs/{name}/{kept}.safetensors", untrained_agent("compact", EnvOptions(), seed))
        save_tensors(tmp_path / f"runs/{name}/{STATE}", {}, {"format": "coinrun-training-3"})
    save_tensors(tmp_path / f"runs/begun/{STATE}", {}, {"format": "coinrun-training-3"})
    return tmp_path / "runs"


def test_a_trainings_folder_is_its_agent_and_a_folder_of_them_the_finished_ones(trainings: Path) -> None:
    one, two = (str(trainings / f"{name}/agent.safetensors") for name in ("one", "two"))
    assert agent_files(str(trainings / "one")) == [one]
    assert agent_files(str(trainings)) == [one, two]
    assert [name.rpartition("-")[0] for name, _ in named_agents([str(trainings)])] == ["one", "two"]
    assert opened(f"agent={trainings}") == f"agent='{one}','{two}'"
    with pytest.raises(InputError, match=r"begun is a training that is not finished: no agent.safetensors is in it"):
        agent_files(str(trainings / "begun"))


def test_a_sweep_over_a_folder_of_trainings_takes_the_finished_ones(trainings: Path) -> None:
    """So many that they would write one film."""
    sentence = refused("video", "-m", "agent=runs", "output=a.mp4", cwd=trainings.parent)
    assert sentence.startswith("error: Jobs 0 and 1 of the sweep differ in agent alone, and both would write a.mp4;")


def test_an_empty_sweep_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty is a folder without agents" in refused("score", "-m", "agent=empty", cwd=tmp_path)
    sentence = refused("score", "-m", "agent=a.safetensors", "experiment=glob(nothing*)", cwd=tmp_path)
    assert sentence == "error: experiment=glob(nothing*) is an empty sweep; nothing matches it."
    assert "seed=range(3, 3) is an empty sweep" in refused("train", "-m", "seed=range(3, 3)", cwd=tmp_path)


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        (("train", "train.total_steps=1e5,2e5", "seed=0,1"), "train.total_steps"),
        (("train", "run.milestones=0,5"), "run.milestones"),
        (("train", "run.evaluation_episodes=0,8", "hydra/launcher=joblib"), "run.evaluation_episodes"),
        (("score", "agent=untrained:compact:0", "env_threads=1,2"), "env_threads"),
        (("collect", "agent=untrained:compact:0", "env_threads=1,2"), "env_threads"),
        (("report", "agent=untrained:compact:0,untrained:compact:1", "output=mine"), "agent"),
        (("video", "agent=untrained:compact:0", "output=a.mp4", "first=0,9", "rate=5,9"), "rate"),
        (("benchmark", "rounds=1,3"), "rounds"),
        (("validate", "agent=untrained:compact:0", "only=planted,pairs"), "only"),
        (("edit", "agent=untrained:compact:0", "env_threads=1,2"), "env_threads"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_sweep_over_what_is_no_part_of_a_runs_name_is_refused(
    command: tuple[str, ...], keys: str, tmp_path: Path
) -> None:
    script, *settings = command
    sentence = refused(script, "-m", *settings, cwd=tmp_path)
    assert sentence.startswith(f"error: Jobs 0 and {2 if 'seed=0,1' in settings else 1} of the sweep differ in {keys} ")
    assert "and both would write " in sentence
    assert not (tmp_path / "runs/train").exists()
    assert "sweep over what is part of that name, or give each job a command of its own." in sentence


def test_jobs_of_a_sweep_that_are_the_same_are_refused(tmp_path: Path) -> None:
    sentence = refused("train", "-m", "seed=0,1,0", cwd=tmp_path)
    assert sentence == "error: Jobs 0 and 2 of the sweep are the same: seed=0"
    check_apart([["seed=0"], ["seed=1"], ["seed=0"]], ["a", None, "b"])
    with pytest.raises(InputError, match=r"Jobs 1 and 2 of the sweep differ in a and c alone, and both would write x;"):
        check_apart([["a=1", "b=1", "c=1"], ["a=2", "b=1", "c=2"], ["a=3", "b=1", "c=3"]], [None, "x", "x"])


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
def test_joblib_runs_every_job_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And with its own packages, whatever else has their names."""
    monkeypatch.setenv("PYTHONPATH", str(namesakes(tmp_path / "namesakes")))
    command = ("train", "-m", *SMALL, *JOBLIB, "train.total_steps=512", "env.num_levels=5,-1,6,7")
    first = run(*command, cwd=tmp_path, fresh=True)
    assert first.returncode == 1
    assert first.stderr == "error: 4 jobs: 3 done, 1 failed.\n"
    assert listed(first.stdout)[1].startswith("env.num_levels=-1 | failed | env.num_levels is -1; it must be from 0 to")
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


QUOTAS = {
    "v2": ({"cpu.max": "250000 100000\n"}, 3),
    "v2, less than a core": ({"cpu.max": "50000 100000\n"}, 1),
    "v2, none": ({"cpu.max": "max 100000\n"}, 8),
    "v1": ({"cpu/cpu.cfs_quota_us": "400000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 4),
    "v1, none": ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    "no cgroup": ({}, 8),
}


@pytest.fixture
def node(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine of 64 cores, 8 of them this process's, in a container with a quota; the cores that it may use."""
    files, allowed = request.param
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    def there(path: object) -> Path:
        return tmp_path / str(path).removeprefix("/sys/fs/cgroup/")

    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    monkeypatch.setattr(loky_context.os.path, "exists", lambda path: there(path).is_file())
    monkeypatch.setattr(loky_context, "open", lambda path: there(path).open(), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return int(allowed)


@pytest.mark.parametrize("node", QUOTAS.values(), ids=QUOTAS, indirect=True)
def test_cores_are_those_of_the_container(node: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cores() == node
    for value, expected in (("1", 1), ("2", min(2, node)), ("16", node), ("", node), ("many", node)):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        assert cores() == expected


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a machine of one core")
def test_libraries_keep_to_the_cores_of_the_container() -> None:
    """They count those of the node by themselves. LOKY_MAX_CPU_COUNT stands for a quota of one core."""
    program = """
import os
from common.cores import keep_to_cores
import scipy.linalg, torch
from threadpoolctl import threadpool_info
print(torch.get_num_threads(), max(library["num_threads"] for library in threadpool_info()))
keep_to_cores()
print(torch.get_num_threads(), max(library["num_threads"] for library in threadpool_info()))
import torch._inductor.config
print(torch._inductor.config.compile_threads)
"""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    environment |= {"PYTHONPATH": str(ROOT / "scripts"), "LOKY_MAX_CPU_COUNT": "1"}
    command = [sys.executable, "-c", program]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    assert min(map(int, said[:2])) > 1
    assert said[2:] == ["1", "1", "1"]
    before = torch.get_num_threads()
    keep_to_cores()
    assert torch.get_num_threads() == before, "what is fewer stays"


def test_signals_are_gathered_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stoppable() as received:
        assert not received
        for number in (signal.SIGTERM, signal.SIGUSR2):
            signal.raise_signal(number)
        assert received == [signal.SIGTERM, signal.SIGUSR2]
    assert signal.getsignal(signal.SIGTERM) is before
