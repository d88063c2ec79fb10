"""Two fresh banks give the same verdict on the same features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rollouts.progress import Update, silent
from scoring.draw.charts import panels, points, save
from scoring.metrics.arrays import BoolArray, FloatArray, IntArray
from scoring.subject import Subject
from scoring.validation.base import BASES, Outcome, at_least, basis_of, judged_basis, reported
from scoring.validation.published import FITS

AGREE = 0.9
"""The least share of features with the same verdict on both banks."""


@dataclass(frozen=True)
class BankRow:
    """One feature on both banks: its highest kappa, its place by the rule's verdict, and what it is named after."""

    features: str
    kappa: tuple[float, float]
    interpretable: tuple[bool, bool]
    kind: tuple[str, str]


@dataclass(frozen=True)
class Banks:
    rows: list[BankRow]


def banks(fitted: Subject, fresh: Sequence[Subject], progress: Update = silent) -> Outcome[Banks]:
    """Features are fitted on the pool of `fitted`, six times, and judged on two `fresh` banks of the same agent."""
    rows = []
    for features in BASES:
        for fit in range(FITS if features == "nmf" else 1):
            basis = basis_of(fitted, features, fit=fit)
            scored = [judged_basis(subject, features, basis) for subject in fresh]
            names: list[Sequence[str]] = [one.subject.game.names for one in scored]
            kinds: list[IntArray] = [one.verdict.kind for one in scored]
            passed: list[BoolArray] = [one.verdict.interpretable for one in scored]
            highest: list[FloatArray] = [_highest(one.verdict.kappa, one.verdict.judging.allowed) for one in scored]
            rows += [
                BankRow(
                    features,
                    (float(highest[0][k]), float(highest[1][k])),
                    (bool(passed[0][k]), bool(passed[1][k])),
                    (_name(names[0], kinds[0][k]), _name(names[1], kinds[1][k])),
                )
                for k in range(len(kinds[0]))
            ]
            progress(0, f"two banks, {features}, fit {fit}")
    checks = []
    for features in BASES:
        own = [row for row in rows if row.features == features]
        same = float(np.mean([row.interpretable[0] == row.interpretable[1] for row in own]))
        both = [row for row in own if all(row.interpretable)]
        shares = [float(np.mean([row.interpretable[i] for row in own])) for i in range(2)]
        note = f"interpretable {shares[0]:.2f} and {shares[1]:.2f}"
        checks.append(at_least(f"features with the same verdict on two banks, {features}", same, AGREE, note))
        named = float(np.mean([row.kind[0] == row.kind[1] for row in both])) if both else float("nan")
        checks.append(reported(f"named alike on both banks, {features}, reported", named, f"of {len(both)}"))
    return Outcome(checks, Banks(rows))


def _highest(kappa: FloatArray, allowed: BoolArray) -> FloatArray:
    return np.asarray(np.where(allowed, np.nan_to_num(kappa, nan=-1), -1).max(axis=-1))


def _name(names: Sequence[str], kind: int) -> str:
    return names[kind] if kind >= 0 else ""


def figure(details: Banks, path: Path) -> None:
    """The highest kappa of each feature on both banks; open where the verdicts differ."""
    picture, (axis,) = panels(1, 5.0, 4.6)
    verdicts: Mapping[str, bool] = {"same verdict": True, "verdicts differ": False}
    for number, features in enumerate(BASES):
        for label, same in verdicts.items():
            own = [
                row
                for row in details.rows
                if row.features == features and (row.interpretable[0] == row.interpretable[1]) == same
            ]
            first, second = ([row.kappa[i] for row in own] for i in range(2))
            points(axis, first, second, number + 2 * (not same), f"{features}, {label}", alpha=0.7)
    axis.plot([0, 1], [0, 1], color="0.6", lw=1)
    axis.set(xlabel="highest κ on the first bank", ylabel="highest κ on the second bank")
    axis.legend(fontsize=8)
    save(picture, path)
