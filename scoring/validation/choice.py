"""Version 2's cut-offs: what passes at each of them, and which of them `docs/score.md`'s criterion chooses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np

from rollouts.progress import Update, silent
from scoring.draw.charts import COLOURS, panels, save
from scoring.features.kinds import kind_named
from scoring.metrics.arrays import FloatArray, IntArray, Weights
from scoring.metrics.statistics import bootstrap_multiplicities, interval
from scoring.rules import Judging, Values, Version2, for_draws
from scoring.subject import Subject
from scoring.validation.base import SETTINGS, Check, Outcome, at_least, at_most, basis_of
from scoring.validation.published import FITS, FRACTIONS
from scoring.validation.rotation import MOST
from scoring.verdict import judging_of

OBJECTS = (0.1, 0.125, 0.15, 0.2)
FIXED = (0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5)
WIDTHS = (2, 4)
NEAR = 0.02
"""Candidates as near as this to the best are as good: the strictest of them is taken."""
DRAWS = 200
FEATURES = ("nmf", "channels", "rotated")
HALVES = ("even", "odd")

Candidate = tuple[int, float, float]
"""Pixels by which masks are widened, kappa of objects, and kappa of all else."""


@dataclass(frozen=True)
class CurveRow:
    """The interpretable fraction of a kind of features at a candidate, on one half of the environments."""

    half: str
    features: str
    width: int
    objects: float
    fixed: float
    fraction: float


@dataclass(frozen=True)
class Curves:
    rows: list[CurveRow]
    chosen: Candidate

    def at(self, half: str, features: str, candidate: Candidate) -> float:
        (fraction,) = (
            row.fraction
            for row in self.rows
            if (row.half, row.features, (row.width, row.objects, row.fixed)) == (half, features, candidate)
        )
        return fraction


def choice(subject: Subject, progress: Update = silent) -> Outcome[Curves]:
    """Of the published agent: its features at every candidate, on each half of the environments."""
    rows = []
    for half, weights in zip(HALVES, halves_of(subject.environments), strict=True):
        for features, width in product(FEATURES, WIDTHS):
            sets = looked(subject, features, width, weights)
            rows += [
                CurveRow(half, features, width, objects, fixed, mean_fraction(sets, objects, fixed))
                for objects, fixed in product(OBJECTS, FIXED)
            ]
            progress(0, f"{features} on {half} environments, masks widened by {width} px")
    own = SETTINGS.definition.rule.cutoffs
    curves = Curves(rows, (SETTINGS.dilation, own.kappa, own.fixed))
    chosen = choose(curves)
    same = Check(
        "the criterion's cut-offs are those in use",
        float(chosen == curves.chosen),
        ">= 1",
        chosen == curves.chosen,
        "widened by {} px, objects {}, all else {}".format(*chosen),
    )
    checks = [same]
    for half in HALVES:
        values = {features: curves.at(half, features, curves.chosen) for features in FEATURES}
        checks += [
            at_least(f"published agent on {half} environments, {features}", values[features], least)
            for features, least in FRACTIONS.items()
        ]
        checks.append(at_most(f"rotated channels on {half} environments", values["rotated"], MOST))
    return Outcome(checks, curves)


def choose(curves: Curves) -> Candidate:
    """By the second criterion, as far as the published agent and its rotated channels decide it."""
    candidates = list(product(WIDTHS, OBJECTS, FIXED))
    allowed = [one for one in candidates if all(curves.at(half, "rotated", one) <= MOST for half in HALVES)]
    own = list(product(HALVES, FRACTIONS))
    worth = {one: sum(curves.at(half, features, one) for half, features in own) / len(own) for one in allowed}
    near = [one for one, value in worth.items() if value >= max(worth.values()) - NEAR]
    return max(near, key=lambda one: (one[2], one[1], -one[0]))


def halves_of(environments: int) -> FloatArray:
    """Weights (2, E): the even-numbered environments, and the odd ones."""
    even = np.arange(environments) % 2 == 0
    return np.stack([even, ~even]).astype(np.float64)


@dataclass(frozen=True)
class Looked:
    """What the rule looks at on some of the environments: `values` (K, C) and the lower limit of kappa (K, C)."""

    values: Values
    lower: FloatArray
    judging: Judging

    def named(self, objects: float, fixed: float) -> IntArray:
        """The kind (K,) that each feature is interpretable by at these cut-offs, -1 for none."""
        rule = Version2(replace(Version2().cutoffs, kappa=objects, fixed=fixed))
        return rule.interpretable(self.values, self.lower, self.judging)[1]

    def fraction(self, objects: float, fixed: float) -> float:
        return float((self.named(objects, fixed) >= 0).mean())


def looked(subject: Subject, features: str, width: int, weights: Weights) -> list[Looked]:
    """Of one kind of features, once for each fit; `weights` (E,) choose the environments."""
    config = replace(SETTINGS, features=features, dilation=width)
    subject = subject.with_kinds(config.definition.game(subject.bank.options.rules))
    kind = kind_named(features)
    rule, kinds = for_draws(Version2(), kind.draws(config)), subject.game.kinds
    widened = [subject.masks(width)]
    found = []
    for fit in range(FITS if kind.fitted else 1):
        (measured,) = subject.measure(basis_of(subject, features, config, fit), widened)
        lower = interval(rule.values(measured, kinds, _draws(weights)).kappa)[0]
        found.append(Looked(rule.values(measured, kinds, weights), lower, judging_of(measured, subject, rule)))
    return found


def _draws(weights: Weights) -> FloatArray:
    """Bootstrap draws (draws, E) of the environments that count."""
    chosen = np.flatnonzero(weights)
    draws = np.zeros((DRAWS, len(weights)))
    draws[:, chosen] = bootstrap_multiplicities(len(chosen), DRAWS, 0)
    return draws


def mean_fraction(sets: Sequence[Looked], objects: float, fixed: float) -> float:
    return float(np.mean([one.fraction(objects, fixed) for one in sets]))


def figure(details: Curves, path: Path) -> None:
    """The trade: the agent's fraction against that of its rotated channels, over the cut-off of walls."""
    picture, axes = panels(len(HALVES), 5.0, 4.2)
    for axis, half in zip(axes, HALVES, strict=True):
        for number, (features, width) in enumerate(product(("nmf", "channels"), WIDTHS)):
            along = [(width, details.chosen[1], fixed) for fixed in FIXED]
            rotated, own = ([details.at(half, name, one) for one in along] for name in ("rotated", features))
            axis.plot(rotated, own, marker=".", color=COLOURS[number], label=f"{features}, masks + {width} px")
        for features in ("nmf", "channels"):
            point = details.at(half, "rotated", details.chosen), details.at(half, features, details.chosen)
            axis.plot(*point, "o", ms=11, mfc="none", color="black")
        axis.axvline(MOST, color="0.5", lw=1, ls="--")
        axis.set(xlabel="interpretable fraction of rotated channels", xlim=(-0.02, 0.9), ylim=(0, 1))
        axis.set_ylabel("interpretable fraction of the agent's features")
        axis.set_title(f"{half} environments; κ of walls from {FIXED[-1]:g} (left) to {FIXED[0]:g}")
        axis.legend(fontsize=8, loc="lower right")
    save(picture, path)
