"""Running groups of checks, and what comes of them (`validation.json`)."""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from rich.table import Table
from rich.text import Text

from agents.checkpoint import Agent, fingerprint
from rollouts.documents import finite_or_none
from rollouts.progress import Track, untracked
from scoring.validation.base import CUTOFFS, Check, Outcome
from scoring.validation.groups import GROUPS
from scoring.validation.material import Material


@dataclass(frozen=True)
class GroupRun:
    """A group that was run, or that could not be (`outcome` is None): its one check says why."""

    name: str
    seconds: float
    checks: list[Check]
    outcome: Outcome[Any] | None

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        details = {}
        if self.outcome is not None:
            adapter = TypeAdapter(type(self.outcome.details))
            details = adapter.dump_python(self.outcome.details, mode="json", by_alias=True)
        return {"seconds": self.seconds, "checks": [asdict(check) for check in self.checks], "details": details}


@dataclass(frozen=True)
class Validation:
    groups: list[GroupRun]
    seconds: float

    def unmet(self, require_all: bool) -> list[str]:
        """The checks that do not hold, and where all are required those that were not run."""
        checks = [check for group in self.groups for check in group.checks]
        failed = [check.name for check in checks if check.passed is False]
        return failed + [f"{check.name} (not run)" for check in checks if check.passed is None and require_all]

    def to_json(self, agent: Agent, published: Agent | None) -> dict[str, Any]:
        """Every group that was run, the agents, the cut-offs, and the seconds of the whole."""
        record: dict[str, Any] = {group.name: group.to_json() for group in self.groups if group.outcome is not None}
        return finite_or_none(record) | {
            "agent_sha256": fingerprint(agent),
            "published_sha256": fingerprint(published) if published else None,
            "cutoffs": asdict(CUTOFFS),
            "seconds": self.seconds,
        }


def validate(
    agent: Agent,
    published: Agent | None,
    groups: Sequence[str],
    folder: Path,
    seed: int = 0,
    threads: int = 1,
    track: Track = untracked,
) -> Validation:
    """Run groups of `GROUPS`, and draw a picture of each in the folder."""
    started = time.monotonic()
    with track("Validating", len(groups)) as update:

        def progress(more: int, note: str = "") -> None:
            update(more, f"{time.monotonic() - started:.0f} s, {note}")

        material = Material(agent, published, seed, threads, progress)
        runs = []
        for name in groups:
            runs.append(_run(name, material, folder))
            progress(1, name)
    return Validation(runs, time.monotonic() - started)


def _run(name: str, material: Material, folder: Path) -> GroupRun:
    group, begun = GROUPS[name], time.monotonic()
    if group.needs_published and material.published is None:
        return GroupRun(name, 0, [Check(name, None, "", None, "not run: published=PATH names no agent")], None)
    outcome = group.run(material)
    if group.figure is not None:
        group.figure(outcome.details, folder / f"{name}.png")
    return GroupRun(name, time.monotonic() - begun, outcome.checks, outcome)


def table(validation: Validation) -> Table:
    """A row a check: the number, its bound, and pass, fail or not run."""
    rows = Table()
    for heading in ("group", "check", "number", "bound", "", "note"):
        rows.add_column(heading, justify="right" if heading in ("number", "bound") else "left")
    for group in validation.groups:
        for check in group.checks:
            value = "–" if check.value is None else f"{check.value:.3g}"
            verdict = Text("FAIL", "bold red") if check.passed is False else "pass" if check.passed else "not run"
            rows.add_row(group.name, check.name, value, check.bound, verdict, check.note)
    return rows
