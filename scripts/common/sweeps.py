"""What becomes of the jobs of a sweep, whatever launches them (`hydra_plugins/coinrun_sweeps.py`)."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.types import Override, QuotedString
from omegaconf import DictConfig
from rich.table import Table

from common.command import explain
from agents.naming import agent_files
from common.arguments import quoted, unquoted
from common.stopping import FINISHED, Stopped
from rollouts.errors import InputError
from rollouts.locks import InUse


class SweepFailed(InputError):
    """Some of a sweep's jobs failed."""


class State(StrEnum):
    """How a job ended."""

    DONE = "done"
    FINISHED = "finished before"
    FAILED = "failed"
    STOPPED = "stopped"
    IN_USE = "in use"
    NOT_STARTED = "not started"


UNFINISHED = (State.STOPPED, State.IN_USE, State.NOT_STARTED)


@dataclass(frozen=True)
class Outcome:
    """What became of job `number`, counted from 0, with these `settings`; `note` says why."""

    number: int
    settings: tuple[str, ...]
    state: State
    note: str = ""


@dataclass(frozen=True)
class Job:
    """A command's task as one job of several: it returns its outcome and raises nothing, so that the others go on."""

    task: Callable[[DictConfig], object]

    def __call__(self, config: DictConfig) -> Outcome:
        try:
            return outcome(State.FINISHED if self.task(config) == FINISHED else State.DONE)
        except Stopped as stopped:
            return outcome(State.STOPPED, str(stopped))
        except InUse as used:
            return outcome(State.IN_USE, str(used))
        except Exception as error:
            sentence = explain(error)
            if sentence is None:
                traceback.print_exc()
            return outcome(State.FAILED, sentence or f"{type(error).__name__}: {error}")


def outcome(state: State, note: str = "") -> Outcome:
    """What became of the job that Hydra runs now."""
    if note:
        print(note, file=sys.stderr, flush=True)
    hydra = HydraConfig.get()
    return Outcome(int(hydra.job.num), tuple(hydra.overrides.task), state, note)


class Jobs:
    """The jobs that a launcher was given, and what became of those that have ended.

    `overrides` are each job's, under its number; jobs are numbered from `first`.
    """

    def __init__(self, overrides: Sequence[Sequence[str]], first: int) -> None:
        self.overrides = dict(enumerate(overrides, start=first))
        self.ended: dict[int, Outcome] = {}

    def end(self, number: int, state: State, note: str = "") -> None:
        """Record a job that could not tell its outcome itself."""
        self.ended[number] = Outcome(number, tuple(self.overrides[number]), state, note)

    def left(self) -> Iterator[int]:
        """Numbers of the jobs that have not ended."""
        return (number for number in list(self.overrides) if number not in self.ended)

    def note(self, running: int) -> str:
        """'2 running, 1 failed', for a progress display."""
        failed = sum(outcome.state == State.FAILED for outcome in self.ended.values())
        return f"{running} running, {failed} failed"


def with_agents(override: Override) -> str:
    """The override as text, each folder that `agent` names replaced by the agents in it.

    Raises `InputError` for a folder without agents, and for any sweep over nothing, such as a `glob` that matches
    nothing in `conf/`.
    """
    text, specs = str(override.input_line), [override._value]
    if override.is_discrete_sweep():
        if not list(override.sweep_string_iterator()):
            raise InputError(f"{text} is an empty sweep; nothing matches it.")
        specs = list(override.sweep_iterator())
    names = [unquoted(spec) for spec in specs if isinstance(spec, str | QuotedString)]
    folders = [name for name in names if Path(name).is_dir()]
    if override.get_key_element() != "agent" or len(names) < len(specs) or not folders:
        return text
    return "agent=" + ",".join(quoted(file) for name in names for file in agent_files(name))


def check_apart(jobs: Sequence[Sequence[str]], places: Sequence[str | None]) -> None:
    """Raises `InputError` where two jobs, each a list of settings, write into one place (None: a job has no place)."""
    first: dict[str, int] = {}
    for number, (job, place) in enumerate(zip(jobs, places, strict=True)):
        if place is None:
            continue
        other = first.setdefault(place, number)
        if other == number:
            continue
        pair = f"Jobs {other} and {number} of the sweep"
        keys = [one.partition("=")[0] for one, same in zip(job, jobs[other], strict=True) if one != same]
        if not keys:
            raise InputError(f"{pair} are the same: {' '.join(job)}")
        raise InputError(
            f"{pair} differ in {' and '.join(keys)} alone, and both would write {place}; "
            "sweep over what is part of that name, or give each job a command of its own."
        )


def place(config: DictConfig) -> str | None:
    """Where a job writes, as its configuration says: the run's folder, or `output`; None for one that cannot begin."""
    try:
        folder, output = str(config.hydra.run.dir), config.get("output")
    except Exception as error:
        if explain(error) is None:
            raise
        return None
    return folder if folder != "." else None if output is None else str(output)


def summary(outcomes: Sequence[Outcome]) -> Table:
    """A row a job, with the settings that not all of them share."""
    shared = set.intersection(*(set(job.settings) for job in outcomes)) if len(outcomes) > 1 else set()
    table = Table("job", "settings", "", "why")
    for job in outcomes:
        own = " ".join(setting for setting in job.settings if setting not in shared)
        table.add_row(str(job.number), own, job.state, job.note)
    return table


def conclude(outcomes: Sequence[Outcome]) -> str:
    """'8 jobs: 7 done, 1 finished before.' Raises `SweepFailed` where jobs failed, `Stopped` where some can go on."""
    counts = {state: sum(job.state == state for job in outcomes) for state in State}
    text = f"{len(outcomes)} jobs: " + ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    if counts[State.FAILED]:
        raise SweepFailed(f"{text}.")
    if any(counts[state] for state in UNFINISHED):
        raise Stopped(f"{text}; the same command goes on.")
    return f"{text}."
