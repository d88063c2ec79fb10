"""The labels that Hilton et al. (2020) gave eight features of the published agent: which of our features have them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from rollouts.progress import Update, silent
from scoring.draw.charts import bars, panels, save
from scoring.metrics.arrays import BoolArray
from scoring.numbers import Judged
from scoring.subject import Subject
from scoring.validation.base import Outcome, at_least, judged
from scoring.validation.published import FITS

LABELS: Mapping[str, tuple[str, ...]] = {
    "buzzsaw": ("saw",),
    "coin": ("coin",),
    "enemy moving left": ("enemy_left",),
    "agent or enemy moving right": ("agent", "enemy_right"),
    "buzzsaw or platform": ("saw", "top"),
    "platform": ("top",),
    "velocity info or left-facing wall": ("velocity", "left"),
    "step": ("end_left", "end_right", "foot_left", "foot_right"),
}
"""What they wrote on the eight directions of their factorisation, and the concepts of ours that it may mean."""
RECOVERED = {"nmf": 6, "channels": 8}
"""At least as many labels must have a feature, in some factorisation and among the channels."""


@dataclass(frozen=True)
class LabelRow:
    """`features` of the channels that have the label, and the share of factorisations in which some feature has it."""

    label: str
    channels: list[int]
    nmf: float


@dataclass(frozen=True)
class Labels:
    rows: list[LabelRow]


def labels(subject: Subject, progress: Update = silent) -> Outcome[Labels]:
    """A feature has a label if it would be interpretable were the label's concepts the only ones."""
    channels = judged(subject, "channels")
    fits = []
    for fit in range(FITS):
        fits.append(judged(subject, "nmf", fit=fit))
        progress(0, f"labels, factorisation {fit}")
    rows = [
        LabelRow(
            label,
            np.flatnonzero(_with(channels, concepts)).tolist(),
            float(np.mean([_with(fit, concepts).any() for fit in fits])),
        )
        for label, concepts in LABELS.items()
    ]
    counts = {"nmf": sum(row.nmf > 0 for row in rows), "channels": sum(bool(row.channels) for row in rows)}
    notes = {
        "nmf": "; ".join(f"{row.label} {row.nmf:.0%}" for row in rows),
        "channels": "; ".join(f"{row.label} {', '.join(map(str, row.channels)) or 'none'}" for row in rows),
    }
    checks = [
        at_least(f"labels of eight that {features} have", counts[features], least, notes[features])
        for features, least in RECOVERED.items()
    ]
    return Outcome(checks, Labels(rows))


def _with(scored: Judged, concepts: tuple[str, ...]) -> BoolArray:
    """Which features (K,) pass the rule by one of these concepts."""
    verdict, game = scored.verdict, scored.subject.game
    only = np.isin(np.arange(len(game.kinds)), [game.index(name) for name in concepts])
    judging = replace(verdict.judging, eligible=verdict.judging.eligible & only)
    return verdict.rule.interpretable(verdict.values, verdict.kappa_interval[0], judging)[0]


def figure(details: Labels, path: Path) -> None:
    """How many channels have each label, and in how many factorisations some feature has it."""
    picture, axes = panels(2)
    places = np.arange(len(details.rows))
    measures: tuple[tuple[str, Callable[[LabelRow], float]], ...] = (
        ("channels that have the label", lambda row: len(row.channels)),
        ("share of factorisations that have it", lambda row: row.nmf),
    )
    for number, (axis, (title, of)) in enumerate(zip(axes, measures, strict=True)):
        bars(axis, places, [of(row) for row in details.rows], 0.7, number, None)
        axis.set_xticks(places)
        axis.set_xticklabels([row.label for row in details.rows], rotation=40, ha="right", fontsize=8)
        axis.set_title(title)
    save(picture, path)
