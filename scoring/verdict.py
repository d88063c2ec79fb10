"""A rule applied to an agent's features, and over bootstrap draws of environments."""

from dataclasses import dataclass, replace

import numpy as np

from scoring.metrics.arrays import BoolArray, FloatArray, IntArray
from scoring.metrics.statistics import NO_NUMBER, Number, bootstrap_multiplicities, interval, number
from scoring.rules import Judging, Rule, Values
from scoring.subject import Measured, Subject


@dataclass(frozen=True)
class Verdict:
    """The rule applied to K features and C kinds, and over bootstrap draws of environments.

    `values` are what the rule looked at, (K, C) each, `kappa_interval` (2, K, C). Of each feature (K,): whether it is
    `interpretable`, the index of its `kind` (-1 for none), and its `grades`. `fraction` and `graded` are the two
    numbers of the headline, `fraction_draws` and `graded_draws` (draws,) the same in each draw, None without draws.
    """

    rule: Rule
    judging: Judging
    values: Values
    kappa_interval: FloatArray
    interpretable: BoolArray
    kind: IntArray
    grades: FloatArray
    fraction: Number = NO_NUMBER
    graded: Number = NO_NUMBER
    fraction_draws: FloatArray | None = None
    graded_draws: FloatArray | None = None

    @property
    def alive(self) -> BoolArray:
        """(K,)"""
        return self.judging.alive

    @property
    def kappa(self) -> FloatArray:
        """(K, C)"""
        return self.values.kappa

    @property
    def sign(self) -> FloatArray:
        """(K, C)"""
        return self.values.sign

    @property
    def causal(self) -> FloatArray:
        """(K, C)"""
        return self.values.causal


def judge(measured: Measured, subject: Subject, rule: Rule, draws: int, seed: int) -> Verdict:
    """Which features are interpretable.

    There is no number for the agent where environments or eligible kinds are too few, or all features are dead.
    Within a bootstrap draw the lower limit of kappa is the whole bank's. With the same seed, draw i has the same
    environments for every agent and basis on a bank, so that differences between them can be taken draw by draw.
    """
    kinds = subject.game.kinds
    values = rule.values(measured, kinds)
    judging = judging_of(measured, subject, rule)
    weights = bootstrap_multiplicities(subject.environments, draws, seed) if subject.resamples else None
    of_draws = None if weights is None else rule.values(measured, kinds, weights)
    nothing = np.full((2, *values.kappa.shape), np.nan)
    kappa_interval = nothing if of_draws is None else interval(of_draws.kappa)
    is_so, kind = rule.interpretable(values, kappa_interval[0], judging)
    grades = rule.graded(values, judging)
    verdict = Verdict(rule, judging, values, kappa_interval, is_so, kind, grades)
    if of_draws is None or not subject.headline.any() or not judging.alive.any():
        return verdict
    fraction_draws = rule.interpretable(of_draws, kappa_interval[0], judging)[0].mean(axis=-1)
    graded_draws = rule.graded(of_draws, judging).mean(axis=-1)
    return replace(
        verdict,
        fraction=number(is_so.mean(), fraction_draws),
        graded=number(grades.mean(), graded_draws),
        fraction_draws=fraction_draws,
        graded_draws=graded_draws,
    )


def judging_of(measured: Measured, subject: Subject, rule: Rule) -> Judging:
    """What the rule judges of a subject's features."""
    alive = measured.energies.share() >= rule.cutoffs.dead
    return Judging(subject.game.kinds, subject.eligible, alive, subject.evidence.pixels.sum(axis=0))


def grade_by_objects(verdict: Verdict) -> float:
    """The graded score of one set of features by the kinds of single objects alone."""
    judging = verdict.judging
    tested = replace(judging, eligible=judging.eligible & judging.flags("controlled"))
    return float(verdict.rule.graded(verdict.values, tested).mean())


def distinct_classes(which: IntArray) -> IntArray:
    """Number (...) of different classes among the features' classes `which` (..., K), -1 being none."""
    return np.asarray((which[..., None] == np.arange(which.max(initial=-1) + 1)).any(axis=-2).sum(axis=-1))
