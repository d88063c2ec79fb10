"""What every group of checks is made of; `docs/validation.md` says why each check is there."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.game import Game
from scoring.evidence import Evidence
from scoring.features.base import FeatureSet
from scoring.features.kinds import kind_named
from scoring.features.nmf import resampled
from scoring.numbers import Judged
from scoring.rules import for_draws
from scoring.settings import ScoreConfig
from scoring.subject import Subject, explain
from scoring.verdict import judge

SETTINGS = ScoreConfig(steps=10, refits=0, bootstrap=500)
"""How networks are judged here: ten steps of integrated gradients are enough for a verdict (Hilton et al. 2020)."""
CUTOFFS = SETTINGS.definition.rule.cutoffs
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
    """Attributions of the value at the network's default layer, and of the evidence the kinds of the version."""
    evidence = evidence.with_kinds(game_of(bank))
    return explain(agent.network, agent.network.default_layer, bank, evidence, steps=steps, pool=pool)


def game_of(bank: FrameBank) -> Game:
    """The bank's game with the kinds of the version that is validated."""
    return SETTINGS.definition.game(bank.options.rules)


def judged(subject: Subject, features: str, settings: ScoreConfig = SETTINGS, fit: int = 0) -> Judged:
    """The verdict on a subject's features of a kind; those that are fitted need its pool.

    They are fitted on the whole pool, or on the resample of its environments that the number `fit` above 0 names.
    """
    basis = basis_of(subject, features, settings, fit)
    return judged_basis(subject, features, basis, settings)


def basis_of(subject: Subject, features: str, settings: ScoreConfig = SETTINGS, fit: int = 0) -> FeatureSet:
    """Features of a kind, fitted as `judged` says."""
    kind, pool = kind_named(features), None
    if kind.fitted:
        assert subject.pool is not None
        pool = subject.pool.maps
        if fit:
            pool = pool[resampled(subject.bank.pool_environment, settings.seed + fit)]
    return kind.fit(subject.geometry.channels, pool, replace(settings, features=features, seed=settings.seed + fit))


def judged_basis(subject: Subject, features: str, basis: FeatureSet, settings: ScoreConfig = SETTINGS) -> Judged:
    """The verdict on features of a kind that were fitted before."""
    settings, kind = replace(settings, features=features), kind_named(features)
    subject = subject.with_kinds(settings.definition.game(subject.bank.options.rules))
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
