"""Prove the score right before it is used: python scripts/validate.py published=openai.safetensors require=all"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from omegaconf import DictConfig
from rich.table import Table

from agents.checkpoint import Agent, fingerprint, untrained_agent
from agents.computation import tune_process
from agents.naming import named_agents
from agents.play import Player
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.values import cores, whole
from rollouts.bank import FrameBank
from rollouts.collecting import SPREAD, BankPlan, collect
from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.evidence import Evidence, gather
from scoring.explain.methods import attribute
from scoring.subject import Subject
from scoring.validation import checks
from scoring.validation.checks import Check, Found
from scoring.validation.figures import FIGURES
from scoring.validation.identities import identities
from scoring.verdict import Cutoffs

LESSON = BankPlan("spread", 64, 32, 33, consecutive=False, pool_frames=0)
"""Frames that detectors of planted networks learn from; no scored frame is among them."""
LESSON_SEED = 1000
COMPLETENESS_FRAMES = 32
PUBLISHED_CONTROLS = 5


class NotValid(InputError):
    """A check failed, or one that is required was not run."""


@dataclass
class Material:
    """What the checks need, made when it is first asked for."""

    agent: Agent
    published: Agent | None
    seed: int
    threads: int
    advance: Callable[[str], None]

    def _play(self, agent: Agent, plan: BankPlan, seed: int) -> tuple[FrameBank, Evidence]:
        bank = collect([("agent", Player(agent, seed))], agent.options.unseen(), plan, seed, self.threads)
        self.advance("frames")
        evidence = gather(bank)
        self.advance("masks")
        return bank, evidence

    @cached_property
    def bank(self) -> tuple[FrameBank, Evidence]:
        """The bank that the agent, planted and untrained networks are scored on."""
        return self._play(self.agent, SPREAD, self.seed)

    @cached_property
    def lesson(self) -> tuple[FrameBank, Evidence]:
        return self._play(self.agent, LESSON, LESSON_SEED + self.seed)

    @cached_property
    def published_bank(self) -> tuple[FrameBank, Evidence]:
        assert self.published is not None
        return self._play(self.published, SPREAD, self.seed)

    @cached_property
    def subject(self) -> Subject:
        return checks.explained(self.agent, *self.bank, pool=True)

    @cached_property
    def published_subject(self) -> Subject:
        assert self.published is not None
        return checks.explained(self.published, *self.published_bank, pool=True)

    def controls(self) -> Iterator[Subject]:
        """Untrained networks of the published agent's shape, on its bank; one at a time, since each is a gigabyte."""
        assert self.published is not None
        for seed in range(PUBLISHED_CONTROLS):
            network = untrained_agent(self.published.network.network, self.published.options, 400 + seed)
            yield checks.explained(network, *self.published_bank, pool=True)

    @cached_property
    def published_level(self) -> dict[str, tuple[float, float]]:
        return checks.level_of(self.controls())

    @property
    def subjects(self) -> dict[str, Subject]:
        found = {"zoo agent": self.subject}
        return found | ({"published agent": self.published_subject} if self.published is not None else {})

    @cached_property
    def untrained(self) -> Found:
        return checks.untrained(*self.bank, self.advance)

    def level(self, network: str) -> dict[str, tuple[float, float]]:
        return checks.levels(self.untrained.details["rows"], network)


def run_identities(m: Material) -> Found:
    frames = m.bank[0].frames[:COMPLETENESS_FRAMES]
    network = m.agent.network
    few, many = (attribute(network, network.default_layer, frames, steps=steps) for steps in (32, 320))
    return identities(checks.judged(m.subject, "channels"), (few, many))


def run_randomisation(m: Material) -> Found:
    assert m.published is not None
    return checks.randomisation(m.published, *m.published_bank, m.published_level, m.advance)


GROUPS: dict[str, tuple[Callable[[Material], Found], bool]] = {
    "identities": (run_identities, False),
    "planted": (lambda m: checks.planted(*m.bank, *m.lesson, m.advance), False),
    "untrained": (lambda m: m.untrained, False),
    "randomisation": (run_randomisation, True),
    "permuted_targets": (lambda m: checks.permuted_targets(m.agent, *m.bank, m.level("compact"), m.advance), False),
    "rotation": (lambda m: checks.rotation(m.subjects, m.advance), False),
    "shifted_masks": (lambda m: checks.shifted_masks(m.subject, "zoo agent", m.advance), False),
    "by_hand": (lambda m: checks.by_hand(*m.bank, m.advance), False),
    "published": (lambda m: checks.published(m.published_subject, m.controls(), m.advance), True),
    "pairs": (lambda m: checks.pairs(m.subjects, m.advance), True),
}
"""Every group of checks, and whether it needs the published agent."""


def folder(config: Mapping[str, Any]) -> str:
    """The agents that are validated on."""
    name = "+".join(name for key in ("agent", "published") if config[key] for name, _ in named_agents(config[key]))
    return f"{name}-s{whole(config['seed'], 'seed')}"


def chosen_groups(only: Any) -> list[str]:
    """The groups to run; raises `InputError` for one that is not there."""
    names = list(GROUPS) if only == "all" else [only] if isinstance(only, str) else list(only)
    for name in names:
        if name not in GROUPS:
            raise InputError(f"only names '{name}'; the groups are {', '.join(GROUPS)}.")
    return names


def task(config: DictConfig) -> None:
    values = plain(config)
    groups = chosen_groups(values["only"])
    if values["require"] not in ("available", "all"):
        raise InputError(f"require is '{values['require']}'; it can be available or all.")
    threads = whole(values["threads"], "threads") or cores()
    torch.set_num_threads(threads)
    tune_process()
    agent = named_agents(values["agent"])[0][1]
    published = named_agents(values["published"])[0][1] if values["published"] else None
    with run_folder() as run:
        lines: list[tuple[str, Check]] = []
        record: dict[str, Any] = {}
        with track("Validating", len(groups)) as update:
            started = time.monotonic()
            done = 0

            def advance(what: str) -> None:
                update(done, f"{time.monotonic() - started:.0f} s, {what}")

            material = Material(agent, published, whole(values["seed"], "seed"), threads, advance)
            for name in groups:
                work, needs_published = GROUPS[name]
                begun = time.monotonic()
                if needs_published and published is None:
                    lines.append((name, Check(name, None, "", None, "not run: published=PATH names no agent")))
                else:
                    found = work(material)
                    lines += [(name, check) for check in found.checks]
                    if name in FIGURES:
                        FIGURES[name](found.details, run / f"{name}.png")
                    record[name] = {
                        "seconds": time.monotonic() - begun,
                        "checks": [asdict(c) for c in found.checks],
                        "details": found.details,
                    }
                done += 1
                advance(name)
        record |= {
            "agent_sha256": fingerprint(agent),
            "published_sha256": fingerprint(published) if published else None,
            "cutoffs": asdict(Cutoffs()),
            "seconds": time.monotonic() - started,
        }
        write_atomically(run / "validation.json", json.dumps(record, indent=2) + "\n")
        CONSOLE.print(table(lines))
        CONSOLE.print(f"{record['seconds'] / 60:.1f} minutes. Written: {run / 'validation.json'} and a picture a group")
        failed = [check.name for _, check in lines if check.passed is False]
        missing = [check.name for _, check in lines if check.passed is None and values["require"] == "all"]
        if failed or missing:
            raise NotValid("These checks do not hold: " + "; ".join(failed + [f"{name} (not run)" for name in missing]))


def table(lines: list[tuple[str, Check]]) -> Table:
    """A row a check: the number, its bound, and pass, fail or not run."""
    shown = Table()
    for heading in ("group", "check", "number", "bound", "", "note"):
        shown.add_column(heading, justify="right" if heading in ("number", "bound") else "left")
    for group, check in lines:
        value = "–" if check.value is None else f"{check.value:.3g}"
        verdict = {True: "pass", False: "[bold red]FAIL[/]", None: "not run"}[check.passed]
        shown.add_row(group, check.name, value, check.bound, verdict, check.note)
    return shown


if __name__ == "__main__":
    main(task, "validate", folder)
