"""What a feature's card in the report's page says and shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollouts.game import Kind
from scoring.draw.examples import Examples, example_grid
from scoring.draw.frames import top_frames
from scoring.draw.words import NONE, plain
from scoring.features.base import along
from scoring.metrics.arrays import FloatArray
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import jackknife_interval
from scoring.numbers import METRICS
from scoring.pipeline import Score
from scoring.tables import interpretable_words, is_told, metric_words, nearest_kind, signed

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

    `kind` is what it is interpreted as, or the nearest one, None without any; `title` and `short` say so in words.
    `facts` are (term, text, anchor of the definition); `lifts` has (kind, lift, low, high) for each eligible kind.
    """

    row: int
    share: float
    interpretable: bool
    kind: Kind | None
    title: str
    short: str
    facts: list[tuple[str, str, str]]
    lifts: list[tuple[Kind, float, float, float]]
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
    kinds, made = score.game.kinds, []
    for rank, k in enumerate(rows):
        c = nearest_kind(score, k)
        title, short = titles(score, k, c)
        made.append(
            Card(
                row=k,
                share=float(score.features.share[k]),
                interpretable=bool(score.verdict.interpretable[k]),
                kind=None if c is None else kinds[c],
                title=title,
                short=short,
                facts=facts(score, k, c),
                lifts=[(kinds[i], lift[k, i], limits[0, k, i], limits[1, k, i]) for i in eligible],
                top=top_frames(score.maps[:, k], subject.bank.environment, TOP),
                grid=example_grid(activations[:, rank]),
                activation=histogram(activations[:, rank]),
                attribution=histogram(attributed[:, k]),
            )
        )
    return made


def titles(score: Score, k: int, c: int | None) -> tuple[str, str]:
    """What feature k is named after, or that it is nothing and which kind c is nearest; and the same in a word."""
    if not score.verdict.alive[k]:
        return "dead: hardly any attribution", "dead"
    if c is None:
        return "no class", "no class"
    words = score.game.kinds[c].words
    if score.verdict.interpretable[k]:
        return signed(score, k, c), words
    return f"no class (nearest: {signed(score, k, c)})", f"({words})"


def with_regions(made: Sequence[Card]) -> list[Kind]:
    """The kinds of these cards that are not drawn by themselves, so that no outline of what is drawn is theirs."""
    kinds = {card.kind.name: card.kind for card in made if card.kind is not None and card.kind.region is not None}
    return list(kinds.values())


def facts(score: Score, k: int, c: int | None) -> list[tuple[str, str, str]]:
    """The verdict on feature k, what the version tells of kind c and of the feature, and the feature's row."""
    version, kinds = score.record.version, score.game.kinds
    told = [metric for metric in METRICS if c is None or is_told(metric.name, kinds[c], version)]
    numbers = [
        (metric.term, NONE if c is None else metric_words(score, metric, k, c), metric.anchor)
        for metric in told
        if metric.term is not None
    ]
    union = score.features.descriptions[k] if version > 1 else None
    described = []
    if union is not None and list(union.members) != [c]:
        words = " + ".join(kinds[i].words for i in union.members)
        described = [("described by", f"{words}, κ {plain(union.kappa, '.2f')}", "described")]
    return [
        ("interpretable", interpretable_words(score, k), "fraction"),
        *numbers,
        *described,
        ("table row", str(k), "files"),
    ]
