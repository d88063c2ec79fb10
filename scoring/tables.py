"""A score as tables: labels of features, agents side by side, and the features' parquet file.

People read the kinds' words; files have their names.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from rollouts.files import atomic_path
from rollouts.game import Game, Kind
from scoring.draw.words import NONE, percent, plain, with_interval
from scoring.numbers import METRICS, Metric
from scoring.pipeline import Score
from scoring.record import Brief, Record
from scoring.rules import version_numbered

ONLY_OF: dict[int, dict[str, str | None]] = {
    1: {"outline": None, "agreement": None},
    2: {
        "sign": "sense",
        "agreement": "sense",
        "outline": "movable",
        "causal_control": "controlled",
        "stability": "controlled",
    },
}
"""By the score's version, the metrics that are told only of kinds with a flag, or of none."""
LABELLED = {"kappa": "κ", "causal": "T", "outline": "T outline", "sign": "sign"}
"""The metrics of a feature's label, and what it calls them."""


def is_told(metric: str, kind: Kind, version: int) -> bool:
    """Whether a version of the score tells people a metric of a kind."""
    only_of = ONLY_OF[version]
    if metric not in only_of:
        return True
    flag = only_of[metric]
    return flag is not None and bool(getattr(kind, flag))


def game_of(record: Record) -> Game:
    """The game that was played, with the kinds of the record's version."""
    return version_numbered(record.version).game(record.bank.options.rules)


def nearest_kind(score: Score, k: int) -> int | None:
    """The kind that feature k is interpreted as, or else the eligible one with the highest kappa.

    None where no kind is eligible, and for a dead feature.
    """
    verdict = score.verdict
    if not verdict.alive[k]:
        return None
    if verdict.kind[k] >= 0:
        return int(verdict.kind[k])
    allowed = score.judged.subject.headline
    kappa = np.where(allowed, np.nan_to_num(verdict.kappa[k], nan=-1), -np.inf)
    return int(kappa.argmax()) if allowed.any() else None


def signed(score: Score, k: int, c: int) -> str:
    """'coin, positive': kind c, and the sign of feature k's attribution to it where the version tells that."""
    kind = score.game.kinds[c]
    if not is_told("sign", kind, score.record.version) or np.isnan(score.verdict.sign[k, c]):
        return kind.words
    return f"{kind.words}, {'positive' if score.verdict.sign[k, c] > 0 else 'negative'}"


def label(score: Score, k: int) -> str:
    """Three lines about feature k: what it is interpreted as, or the kind it comes nearest to, and its numbers."""
    c, share = nearest_kind(score, k), score.features.share[k]
    if not score.verdict.alive[k]:
        return f"{k}: dead\n\nshare {share:.0%}"
    if c is None:
        return f"{k}: no class\n\nshare {share:.0%}"
    kind, values, digits = score.game.kinds[c], score.features.of, {metric.name: metric.digits for metric in METRICS}
    head = f"{k}: {signed(score, k, c)}" if score.verdict.interpretable[k] else f"{k}: no class (nearest: {kind.words})"
    numbers = "   ".join(
        f"{word} {plain(values[name][k, c], digits[name])}"
        for name, word in LABELLED.items()
        if is_told(name, kind, score.record.version)
    )
    return f"{head}\n{numbers}\nshare {share:.0%}"


def classes_words(classes: Mapping[str, float], game: Game) -> str:
    """'coin, platform top (33%)': a share of the factorisations stands where it is not all of them."""
    words = [game.kind(name).words + ("" if share == 1 else f" ({share:.0%})") for name, share in classes.items()]
    return ", ".join(words) or "none"


def _first(brief: Brief | None) -> str:
    return (
        NONE if brief is None else f"{plain(brief.interpretable_fraction, '.2f')}, {plain(brief.graded_score, '.2f')}"
    )


def stopped_words(record: Record) -> str:
    """'2 of 6: 1, 4': factorisations that stopped at the most iterations; 0 is the one on the whole pool."""
    fits = record.diagnostics.factorisation
    if fits is None:
        return NONE
    stopped = [str(number) for number, converged in enumerate(fits.converged) if not converged]
    return f"{len(stopped)} of {len(fits.converged)}" + (f": {', '.join(stopped)}" if stopped else "")


COMPARED: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("version of the score", lambda r: str(r.version)),
    ("interpretable fraction", lambda r: with_interval(r.headline.interpretable_fraction)),
    ("graded score", lambda r: with_interval(r.headline.graded_score)),
    ("  version 1: fraction, graded score", lambda r: _first(r.diagnostics.version_1)),
    ("classes found", lambda r: classes_words(r.headline.classes, game_of(r))),
    ("lift, bits", lambda r: with_interval(r.diagnostics.lift)),
    ("localisation, bits", lambda r: with_interval(r.diagnostics.localisation)),
    ("orbay2020", lambda r: plain(r.diagnostics.orbay2020.rf_box.value)),
    ("  its chance level", lambda r: plain(r.diagnostics.orbay2020.rf_box.chance)),
    ("  share of the frame that objects cover", lambda r: plain(r.diagnostics.prevalence["objects"])),
    ("factorisations stopped at the most iterations", stopped_words),
    ("completeness error, largest", lambda r: plain(r.diagnostics.completeness_error.max, ".4f")),
)


def comparison(columns: Sequence[tuple[str, Record]]) -> Table:
    """Agents side by side: a column for each name and record."""
    table = Table(title=None, show_lines=False)
    table.add_column("")
    for name, _ in columns:
        table.add_column(name, justify="right")
    for name, value in COMPARED:
        table.add_row(name, *(value(record) for _, record in columns))
    return table


def features_table(score: Score) -> Table:
    """The features by share of attribution, each with its nearest kind; no column for what is told of no kind."""
    kinds, version, share = score.game.kinds, score.record.version, score.features.share
    listed = [m for m in METRICS if m.heading is not None and any(is_told(m.name, kind, version) for kind in kinds)]
    table = Table("feature", "class", title=f"features, version {version} of the score")
    for heading in (*(metric.heading or "" for metric in listed), "share", "interpretable"):
        table.add_column(heading, justify="right")
    for k in map(int, np.argsort(-share)):
        c = nearest_kind(score, k)
        numbers = [NONE if c is None else metric_words(score, metric, k, c) for metric in listed]
        name = NONE if c is None else kinds[c].words
        table.add_row(str(k), name, *numbers, percent(share[k]), interpretable_words(score, k))
    return table


def interpretable_words(score: Score, k: int) -> str:
    """'yes', 'no', or 'dead' for a feature without attribution to speak of."""
    if not score.verdict.alive[k]:
        return "dead"
    return "yes" if score.verdict.interpretable[k] else "no"


def metric_words(score: Score, metric: Metric, k: int, c: int) -> str:
    """A metric of feature k and kind c in words, with its interval where it has one; a dash where it is not told."""
    if not is_told(metric.name, score.game.kinds[c], score.record.version):
        return NONE
    text = plain(score.features.of[metric.name][k, c], metric.digits)
    if metric.interval is not None:
        low, high = score.features.intervals[metric.name][:, k, c]
        text += f" ({plain(low, metric.digits)} to {plain(high, metric.digits)})"
    return text + metric.unit


def feature_frame(score: Score) -> pd.DataFrame:
    """One row a feature and kind, every number there is."""
    scores, verdict, names = score.features, score.verdict, score.game.names
    features, kinds = verdict.kappa.shape
    table = pd.DataFrame(
        {
            "feature": np.repeat(np.arange(features), kinds),
            "class": list(names) * features,
            "eligible": np.tile(score.eligible, features),
            "headline_class": np.tile(score.game.flags("headline"), features),
        }
    )
    for name, values in scores.of.items():
        table[name] = values.reshape(-1)
    table["significant"] = scores.significant.reshape(-1)
    for name, limits in scores.intervals.items():
        table[f"{name}_low"], table[f"{name}_high"] = limits.reshape(2, -1)
    for name, column in (
        ("share", scores.share),
        ("interpretable", verdict.interpretable),
        ("graded", verdict.grades),
        ("best_lift", scores.best_lift),
    ):
        table[name] = np.repeat(column, kinds)
    described = [None if one is None else " + ".join(names[c] for c in one.members) for one in scores.descriptions]
    kappas = [np.nan if one is None else one.kappa for one in scores.descriptions]
    table["description"] = np.repeat(np.array(described, dtype=object), kinds)
    table["description_kappa"] = np.repeat(np.array(kappas), kinds)
    table["is_its_class"] = table["class"] == np.repeat([names[c] if c >= 0 else "" for c in verdict.kind], kinds)
    return table


def save_parquet(path: Path, score: Score) -> None:
    """Write `feature_frame(score)` atomically."""
    with atomic_path(path) as temporary:
        feature_frame(score).to_parquet(temporary, index=False)
