"""What a feature's card in the report's page says and shows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.draw.examples import Examples, example_grid
from scoring.draw.frames import top_frames
from scoring.draw.words import NONE
from scoring.features.base import along
from scoring.metrics.arrays import FloatArray
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import jackknife_interval
from scoring.numbers import METRICS
from scoring.pipeline import Score
from scoring.tables import metric_words, nearest_kind

MOST = 8
"""Features that the page shows; the rest of the attribution is its residual."""
TOP = 8
BINS = 40


def shown_features(score: Score) -> list[int]:
    """Rows of the features with the largest share of attribution, at most `MOST`."""
    return [int(k) for k in np.argsort(-score.features.share, kind="stable")[:MOST]]


def histogram(values: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Counts of the values in `BINS` equal bins from `low` to `high`."""
    counts, edges = np.histogram(values, bins=BINS)
    return {"low": float(edges[0]), "high": float(edges[-1]), "counts": counts.tolist()}


def lift_limits(energies: Energies) -> FloatArray:
    """Jackknife limits (2, K, C) of the lift of every feature and kind over environments."""
    lift = energies.lift()
    left_out = energies.lift(1 - np.eye(energies.environments))
    limits = np.full((2, *lift.shape), np.nan)
    for k, c in np.ndindex(lift.shape):
        limits[:, k, c] = jackknife_interval(float(lift[k, c]), left_out[:, k, c])
    return limits


@dataclass(frozen=True)
class Card:
    """What the page says and shows of feature `row`; frames are rows of the bank, nan is where no number is.

    `kind` is what it is interpreted as, or the nearest one, None without any, and `sign` that of the attribution to it.
    `facts` are (term, text, anchor of the definition); `lifts` has (kind, lift, low, high) for each eligible kind.
    """

    row: int
    share: float
    interpretable: bool
    kind: str | None
    sign: float
    facts: list[tuple[str, str, str]]
    lifts: list[tuple[str, float, float, float]]
    top: NDArray[np.int64]
    grid: Examples
    activation: dict[str, Any]
    attribution: dict[str, Any]


def cards(score: Score) -> list[Card]:
    """A card for each feature that the page shows."""
    rows, subject = shown_features(score), score.judged.subject
    attributed = score.basis.transform(subject.own)
    activations = along(subject.own.activations_or_maps, score.basis.directions[rows])
    energies = score.judged.measured.energies
    lift = energies.lift()
    limits = lift_limits(energies) if subject.resamples else np.full((2, *lift.shape), np.nan)
    eligible = [c for c in range(len(score.eligible)) if score.eligible[c]]
    made = []
    for rank, k in enumerate(rows):
        c = nearest_kind(score, k)
        made.append(
            Card(
                row=k,
                share=float(score.features.share[k]),
                interpretable=bool(score.verdict.interpretable[k]),
                kind=None if c is None else score.game.names[c],
                sign=float("nan") if c is None else float(score.verdict.sign[k, c]),
                facts=facts(score, k, c),
                lifts=[(score.game.names[i], lift[k, i], limits[0, k, i], limits[1, k, i]) for i in eligible],
                top=top_frames(score.maps[:, k], subject.bank.environment, TOP),
                grid=example_grid(activations[:, rank]),
                activation=histogram(activations[:, rank]),
                attribution=histogram(attributed[:, k]),
            )
        )
    return made


def facts(score: Score, k: int, c: int | None) -> list[tuple[str, str, str]]:
    """The verdict on feature k, every metric that has a term, of kind c, and the feature's row in the table."""
    numbers = [
        (metric.term, NONE if c is None else metric_words(score, metric, k, c), metric.anchor)
        for metric in METRICS
        if metric.term is not None
    ]
    return [
        ("interpretable", "yes" if score.verdict.interpretable[k] else "no", "fraction"),
        *numbers,
        ("table row", str(k), "files"),
    ]
