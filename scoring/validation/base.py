"""What every group of checks is made of; `docs/validation.md` says why each check is there."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from scoring.evidence import Evidence
from scoring.features.kinds import kind_named
from scoring.numbers import Judged
from scoring.rules import for_draws
from scoring.settings import ScoreConfig
from scoring.subject import Subject, explain
from scoring.verdict import judge

SETTINGS = ScoreConfig(steps=10, refits=0, bootstrap=500)
"""How networks are judged here: ten steps of integrated gradients are enough for a verdict (Hilton et al. 2020)."""
BASES = ("channels", "nmf")
"""Kinds of features that are checked side by side."""

Details = TypeVar("Details")


@dataclass(frozen=True)
class Check:
    """One line of the table: a number, the bound it must keep, and whether it does (None: not run)."""

    name: str
    value: float | None
    bound: str
    passed: bool | None
    note: str = ""


@dataclass(frozen=True)
class Outcome(Generic[Details]):
    """The checks of a group, and the numbers behind them for its figure and `validation.json`."""

    checks: list[Check]
    details: Details


def at_least(name: str, value: float, bound: float, note: str = "") -> Check:
    return Check(name, value, f">= {bound:g}", bool(value >= bound), note)


def at_most(name: str, value: float, bound: float, note: str = "") -> Check:
    return Check(name, value, f"<= {bound:g}", bool(value <= bound), note)


def reported(name: str, value: float, note: str) -> Check:
    """A number without a bound."""
    return Check(name, value, "none", True, note)


def explained(
    agent: Agent, bank: FrameBank, evidence: Evidence, pool: bool = False, steps: int = SETTINGS.steps
) -> Subject:
    """Attributions of the value at the network's default layer."""
    return explain(agent.network, agent.network.default_layer, bank, evidence, steps=steps, pool=pool)


def judged(subject: Subject, features: str, settings: ScoreConfig = SETTINGS) -> Judged:
    """The verdict on a subject's features of a kind; those that are fitted need its pool."""
    settings, kind = replace(settings, features=features), kind_named(features)
    subject = subject.with_kinds(settings.definition.game(subject.bank.options.rules))
    pool = None
    if kind.fitted:
        assert subject.pool is not None
        pool = subject.pool.maps
    basis = kind.fit(subject.geometry.channels, pool, settings)
    (measured,) = subject.measure(basis, [subject.masks(settings.dilation)])
    rule = for_draws(settings.definition.rule, kind.draws(settings))
    verdict = judge(measured, subject, rule, settings.bootstrap, settings.seed)
    return Judged(subject, basis, measured, verdict, settings)


def fraction(scored: Judged) -> float:
    """The interpretable fraction of an agent's features, whatever the bank shows."""
    return float(scored.verdict.interpretable.mean())


def grade(scored: Judged) -> float:
    """The graded score of an agent's features, whatever the bank shows."""
    return float(scored.verdict.grades.mean())
