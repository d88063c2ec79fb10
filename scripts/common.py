"""What every command shares: configuration, the run's folder, progress, and errors told in one sentence."""

import fcntl
import importlib
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Protocol, TypeVar, get_type_hints

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from agents.checkpoint import Agent, fingerprint, load_agent, untrained_agent
from rollouts.env import EnvOptions
from rollouts.errors import InputError

CONSOLE = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 140)
Settings = TypeVar("Settings")
# conf/hydra/launcher/joblib.yaml stands in for the plugin's own of that name, and Hydra wonders.
warnings.filterwarnings("ignore", message=r"\s*'hydra/launcher/joblib' is validated against ConfigStore schema")
# Scores say themselves whether a factorisation converged.
warnings.filterwarnings("ignore", message=r"Maximum number of iterations \d+ reached")

STOPPED = 75
"""Exit status of a run that was asked to stop, and goes on when it is started again (EX_TEMPFAIL of sysexits.h)."""


FINISHED = "finished before"
"""What a task returns that found its result there already."""


class InUse(InputError):
    """Another process holds the folder."""


class Stopped(Exception):
    """The run was asked to stop and has written its state."""


def build(kind: type[Settings], values: Mapping[str, Any], where: str, **given: Any) -> Settings:
    """A dataclass from configuration values, whole numbers accepted as 5e6; `given` fields are passed as they are.

    Raises `InputError` naming the key whose value has the wrong type.
    """
    hints = get_type_hints(kind)
    converted = {name: _convert(value, hints[name], f"{where}.{name}".strip(".")) for name, value in values.items()}
    return kind(**converted, **given)


def _convert(value: Any, kind: Any, key: str) -> Any:
    if kind is int:
        number = _number(value, key)
        if number != int(number):
            raise InputError(f"{key} is {value}; it must be a whole number.")
        return int(number)
    if kind is float:
        return _number(value, key)
    if kind is bool and not isinstance(value, bool):
        raise InputError(f"{key} is {value!r}; it must be true or false.")
    if kind is str:
        return str(value)
    return value


def _number(value: Any, key: str) -> float:
    try:
        if isinstance(value, bool):
            raise ValueError
        number = float(value)
        if number != number or number in (float("inf"), float("-inf")):
            raise ValueError
    except (TypeError, ValueError):
        raise InputError(f"{key} is {value!r}; it must be a number.") from None
    return number


def whole(value: Any, key: str) -> int:
    """A whole number, however it is written; raises `InputError` naming the key otherwise."""
    number: int = _convert(value, int, key)
    return number


def cores() -> int:
    """Cores that this process may use, which on a shared machine are fewer than it has.

    OMP_NUM_THREADS can make them fewer still; the processes of a sweep have it, so that they share the machine.
    """
    allowed = len(os.sched_getaffinity(0))
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return min(allowed, int(wanted)) if wanted.isdigit() and int(wanted) else allowed


def named_agents(spec: str | Sequence[str]) -> list[tuple[str, Agent]]:
    """Agents with names that no other weights share.

    A checkpoint's path, a folder of them, a list of both, or `untrained:NETWORK[:SEED]`, a fresh network that sees the
    same kind of frames as the first checkpoint of the list (hard and painted velocity where there is none).
    """
    specs = [name for text in ([spec] if isinstance(spec, str) else spec) for name in agent_files(text)]
    if not specs:
        raise InputError("agent is an empty list.")
    loaded = {text: load_agent(text) for text in specs if not text.startswith("untrained:")}
    options = next((agent.options for agent in loaded.values()), EnvOptions())
    agents = []
    for text in specs:
        if text in loaded:
            path = Path(text)
            name = path.parent.name if path.name == "agent.safetensors" else path.stem
            agents.append((f"{name}-{fingerprint(loaded[text])[:8]}", loaded[text]))
        else:
            _, network, *seed = text.split(":")
            number = whole(seed[0] if seed else 0, "the untrained agent's seed")
            agents.append((f"untrained-{network}-s{number}", untrained_agent(network, options, number)))
    return agents


def agent_files(spec: str) -> list[str]:
    """The agents of a folder by name, or `spec` itself where it is no folder; raises `InputError` for an empty one."""
    folder = Path(spec)
    if not folder.is_dir():
        return [spec]
    found = sorted(str(path) for path in folder.glob("*.safetensors"))
    if not found:
        raise InputError(f"{spec} is a folder without agents: no *.safetensors is in it.")
    return found


def differences(settings: Any, skip: tuple[str, ...] = ()) -> str:
    """'-name+value' for each field of a dataclass that is not at its default, for the name of a run's folder."""
    default = type(settings)()
    changed = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name not in skip and value != getattr(default, field.name):
            changed.append(f"-{field.name.replace('_', '')}{value}")
    return "".join(changed).replace("/", "_")


def main(task: Callable[[DictConfig], object], config_name: str, folder: Callable[[Mapping[str, Any]], str]) -> None:
    """Run `task` under Hydra. `folder` turns the configuration into the run's folder.

    Bad input ends as one sentence on the error stream and exit status 1; `task` itself only raises, or returns
    `FINISHED` when there was nothing to do. With -m it becomes the jobs of a sweep (`sweeps.Job`).
    """
    task, folder = importable(task), importable(folder)
    OmegaConf.register_new_resolver(
        "run_folder",
        lambda kind, *, _root_: str(Path("runs") / kind / folder(plain(_root_))),
        replace=True,
    )
    os.environ["HYDRA_FULL_ERROR"] = "1"
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    conf = str(Path(__file__).parent.parent / "conf")
    try:
        hydra.main(version_base="1.3", config_path=conf, config_name=config_name)(task)()
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        sys.exit(STOPPED)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        print(f"error: {sentence}", file=sys.stderr)
        sys.exit(1)


Function = TypeVar("Function", bound=Callable[..., Any])


def importable(function: Function) -> Function:
    """The same function, imported with its script by name: what `__main__` holds cannot be sent to other processes."""
    if function.__module__ != "__main__":
        return function
    script = importlib.import_module(Path(function.__code__.co_filename).stem)
    found: Function = getattr(script, function.__name__, function)
    return found


def explain(error: BaseException) -> str | None:
    """The sentence for an error that bad input caused, or None for a defect of the program."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, InputError):
            return str(cause)
        if isinstance(cause, OSError):
            return f"{cause.filename or 'A file'}: {cause.strerror or cause}."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, HydraException | OmegaConfBaseException):
        return " ".join(line.strip() for line in str(error).splitlines() if line.strip())
    return None


def plain(config: DictConfig) -> dict[str, Any]:
    """The configuration without Hydra's own part, as plain dictionaries."""
    return {
        str(key): OmegaConf.to_object(config[key]) if OmegaConf.is_config(config[key]) else config[key]
        for key in config
        if key != "hydra"
    }


@contextmanager
def run_folder() -> Iterator[Path]:
    """The run's folder, held by a lock that the kernel releases when the process ends, however it ends."""
    with locked(Path(HydraConfig.get().run.dir)) as folder:
        yield folder


@contextmanager
def locked(folder: Path, wait: bool = False) -> Iterator[Path]:
    """Make `folder` and hold it; raises `InputError` when it cannot be written.

    While another process holds it, `wait`, or raise `InUse`.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise InputError(f"{folder} cannot be written: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                raise InUse(f"{folder} is in use by another process.") from None
            CONSOLE.print(f"Waiting for another process to be done with {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@contextmanager
def stoppable() -> Iterator[list[int]]:
    """Within the block, signals that ask a run to stop are gathered in the list that is yielded.

    They are SIGTERM, SIGINT, and SIGUSR2, which a cluster sends before a time limit.
    """
    received: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2)
    before = {number: signal.signal(number, lambda number, _: received.append(number)) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Update(Protocol):
    """Tells a progress display how much is done, and a word about it."""

    def __call__(self, done: int, note: str = "") -> None: ...


@contextmanager
def track(name: str, total: int, start: int = 0) -> Iterator[Update]:
    """A progress bar on a terminal; elsewhere a plain line every ten seconds. `start` was done before."""
    if CONSOLE.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        with Progress(*columns, console=CONSOLE) as progress:
            task = progress.add_task(name, total=total, completed=start, note="")
            yield lambda done, note="": progress.update(task, completed=done, note=note)
        return
    began = last = time.monotonic()

    def update(done: int, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= 10 and done > start:
            last = now
            left = (total - done) * (now - began) / (done - start)
            print(f"{name}: {done:,} of {total:,}, {left / 60:.1f} min left{', ' + note if note else ''}", flush=True)

    yield update
