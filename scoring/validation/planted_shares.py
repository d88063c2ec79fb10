"""The headline follows the share of features that are planted detectors, and `orbay2020` does not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from rollouts.bank import FrameBank
from rollouts.progress import Update, silent
from scoring.draw.charts import panels, points, save
from scoring.evidence import Evidence
from scoring.explain.geometry import layer_geometry
from scoring.features.channels import Channels
from scoring.features.projection import covered
from scoring.metrics.energies import eligible
from scoring.metrics.orbay import orbay2020, orbay_chance, threshold
from scoring.numbers import Judged
from scoring.validation.base import BASES, Check, Outcome, at_least, at_most, explained, fraction, grade, judged
from scoring.validation.controls import handmade
from scoring.validation.detectors import train_detectors
from scoring.validation.planted import CHANNELS, DIRECTIONS, Lesson, Planted, plant, told_apart

SHARES = 20
SEEDS = 3
FOLLOWS = {"channels": 0.95, "nmf": 0.85}
"""The least rank correlation of share and headline."""


@dataclass(frozen=True)
class PlantedRow:
    """One planted network; `named` is the share of what is interpretable that is so by the kind it was planted for."""

    seed: int
    features: str
    share: float
    fraction: float
    graded: float
    named: float
    orbay2020: float
    orbay_chance: float
    planted: list[str]


@dataclass(frozen=True)
class PlantedShares:
    rows: list[PlantedRow]

    def of(self, features: str, seed: int) -> list[PlantedRow]:
        return [row for row in self.rows if (row.features, row.seed) == (features, seed)]


def planted_shares(
    bank: FrameBank,
    evidence: Evidence,
    lesson: Lesson,
    progress: Update = silent,
    seeds: Sequence[int] = range(SEEDS),
) -> Outcome[PlantedShares]:
    """Detectors are trained on the frames of `lesson`; the networks are scored on `bank`."""
    rows = []
    for seed in seeds:
        for network, features in planted_networks(bank, evidence, lesson, seed, progress):
            subject = explained(network.agent, bank, evidence, pool=features == "nmf", steps=1)
            scored = judged(subject, features)
            share = (seed, features, network.share, fraction(scored), grade(scored))
            rows.append(
                PlantedRow(
                    *share, _named(scored, network), *_orbay(scored), sorted({name for name in network.kinds if name})
                )
            )
            progress(0, f"planted {features}, seed {seed}")
    details = PlantedShares(rows)
    checks = [
        check
        for features, bound in FOLLOWS.items()
        for check in _follows(features, bound, [details.of(features, seed) for seed in seeds])
    ]
    named = [row.named for row in rows if np.isfinite(row.named)]
    note = "planted: " + ", ".join(sorted({name for row in rows for name in row.planted}))
    checks.append(
        at_least("planted detectors that are interpretable: share named right", float(np.mean(named)), 0.9, note)
    )
    return Outcome(checks, details)


def _follows(features: str, bound: float, sets: Sequence[Sequence[PlantedRow]]) -> tuple[Check, Check]:
    """Whether the headline follows the share within each seed's networks, and `orbay2020` in their mean does not."""
    follows = [spearmanr([row.share for row in own], [row.fraction for row in own]).statistic for own in sets]
    value = np.mean([[row.orbay2020 for row in own] for own in sets], axis=0)
    chance = np.mean([[row.orbay_chance for row in own] for own in sets], axis=0)
    return (
        at_least(f"planted share and headline, {features}: Spearman", float(min(follows)), bound, "lowest seed"),
        at_most(
            f"the same through orbay2020 over its chance, {features}: range",
            float(np.ptp(value - chance)),
            0.05,
            f"of the mean over seeds; without taking chance away {np.ptp(value):.3f}",
        ),
    )


def planted_networks(
    bank: FrameBank,
    evidence: Evidence,
    lesson: Lesson,
    seed: int,
    progress: Update = silent,
) -> Iterator[tuple[Planted, str]]:
    """Networks with shares from 0 to 1 of detectors trained on the lesson, and the kind of features they are for."""
    kinds, shares = lesson.shares(layer_geometry(handmade().network, "2b"))
    detectors = train_detectors(lesson.frames, shares, seed)
    progress(0, f"detectors, seed {seed}")
    _, scored = Lesson(evidence.game, bank.frames, evidence.masks).shares(layer_geometry(handmade().network, "2b"))
    apart = told_apart(detectors, kinds, bank.frames, scored)
    often = eligible(evidence.pixels, bank.episode)
    wanted = [name for name in apart if often[evidence.game.index(name)]]
    for count, features in ((CHANNELS, "channels"), (DIRECTIONS, "nmf")):
        for number, share in enumerate(np.linspace(0, 1, SHARES)):
            own = 1000 * seed + number
            yield plant(detectors, kinds, wanted, share, count, lesson.frames[:512], own), features


def _orbay(scored: Judged) -> tuple[float, float]:
    """The published score, through receptive-field boxes, and its chance level."""
    cells, subject = threshold(np.abs(scored.measured.maps)), scored.subject
    areas = [covered(cells[:, k], subject.geometry) for k in range(cells.shape[1])]
    objects = subject.evidence.objects
    return orbay2020(areas, objects), orbay_chance(areas, objects, subject.bank.environment)


def _named(scored: Judged, planted: Planted) -> float:
    """Of planted detectors that are interpretable the share that is so by its own kind; nan where none is.

    For the NMF, of the interpretable features: the share whose kind was planted.
    """
    names = [scored.subject.game.names[c] if c >= 0 else None for c in scored.verdict.kind]
    if isinstance(scored.basis, Channels):
        right = [a == b for a, b in zip(names, planted.kinds, strict=True) if a and b]
    else:
        right = [name in planted.kinds for name in names if name]
    return float(np.mean(right)) if right else float("nan")


def figure(details: PlantedShares, path: Path) -> None:
    """Headline, graded score and `orbay2020` against the planted share."""
    picture, axes = panels(3)
    measures: tuple[tuple[str, Callable[[PlantedRow], float]], ...] = (
        ("interpretable fraction", lambda row: row.fraction),
        ("graded score", lambda row: row.graded),
        ("orbay2020, receptive-field box", lambda row: row.orbay2020),
    )
    for axis, (title, of) in zip(axes, measures, strict=True):
        for number, features in enumerate(BASES):
            own = [row for row in details.rows if row.features == features]
            points(axis, [row.share for row in own], [of(row) for row in own], number, features, alpha=0.6)
        if axis is axes[0]:
            axis.plot([0, 1], [0, 1], color="0.6", lw=1, label="equal")
        axis.set(xlabel="planted share of detectors", title=title, ylim=(-0.03, 1.03))
        axis.legend(fontsize=8)
    save(picture, path)
