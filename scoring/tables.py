"""A score as tables: labels of features, agents side by side, and the features' parquet file."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.table import Table

from rollouts.files import atomic_path
from scoring.draw.words import NONE, percent, plain, with_interval
from scoring.metrics.energies import MIN_EPISODES
from scoring.numbers import METRICS, Metric
from scoring.pipeline import Score
from scoring.record import Record
from scoring.subject import MIN_ENVIRONMENTS


def nearest_kind(score: Score, k: int) -> int | None:
    """The kind that feature k is interpreted as, or else the eligible one with the highest kappa, if there is any."""
    verdict = score.verdict
    if verdict.kind[k] >= 0:
        return int(verdict.kind[k])
    allowed = score.judged.subject.headline
    kappa = np.where(allowed, np.nan_to_num(verdict.kappa[k], nan=-1), -np.inf)
    return int(kappa.argmax()) if allowed.any() else None


def label(score: Score, k: int) -> str:
    """Three lines about feature k: what it is interpreted as, or the kind it comes nearest to, and its numbers."""
    verdict, c, share = score.verdict, nearest_kind(score, k), score.features.share[k]
    if c is None:
        return f"{k}: no class\n\nshare {share:.0%}"
    name = score.game.names[c]
    sense = "positive" if verdict.sign[k, c] > 0 else "negative"
    head = f"{k}: {name}, {sense}" if verdict.interpretable[k] else f"{k}: no class (nearest: {name})"
    numbers = (plain(verdict.kappa[k, c], ".2f"), plain(verdict.causal[k, c], ".2f"), f"{verdict.sign[k, c]:+.2f}")
    return f"{head}\nκ {numbers[0]}   T {numbers[1]}   sign {numbers[2]}\nshare {share:.0%}"


def classes_words(classes: dict[str, float]) -> str:
    """'coin, saw (33 %)': a share of the factorisations stands where it is not all of them."""
    return ", ".join(name if share == 1 else f"{name} ({share:.0%})" for name, share in classes.items()) or "none"


COMPARED: tuple[tuple[str, Callable[[Record], str]], ...] = (
    ("interpretable fraction", lambda r: with_interval(r.headline.interpretable_fraction)),
    ("graded score", lambda r: with_interval(r.headline.graded_score)),
    ("classes found", lambda r: classes_words(r.headline.classes)),
    ("lift, bits", lambda r: with_interval(r.diagnostics.lift)),
    ("localisation, bits", lambda r: with_interval(r.diagnostics.localisation)),
    ("orbay2020", lambda r: plain(r.diagnostics.orbay2020.rf_box.value)),
    ("  its chance level", lambda r: plain(r.diagnostics.orbay2020.rf_box.chance)),
    ("  share of the frame that objects cover", lambda r: plain(r.diagnostics.prevalence["objects"])),
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


def why_no_headline(record: Record) -> str | None:
    """The sentence that says what a bank lacks for a headline; None where nothing."""
    environments, enough = record.bank.environments, MIN_ENVIRONMENTS
    if environments < enough:
        return f"The bank has {environments} of the {enough} environments that a headline, intervals and tests need."
    if not record.headline.eligible:
        return f"No class is seen in the {MIN_EPISODES} episodes that a number needs, so there is no headline."
    return None


def features_table(score: Score) -> Table:
    """The features by share of attribution, each with its nearest kind."""
    listed = [metric for metric in METRICS if metric.heading is not None]
    table = Table("feature", "class")
    for heading in (*(metric.heading or "" for metric in listed), "share", "interpretable"):
        table.add_column(heading, justify="right")
    share = score.features.share
    for k in np.argsort(-share):
        c = nearest_kind(score, int(k))
        numbers = [NONE] * len(listed) if c is None else [metric_words(score, metric, int(k), c) for metric in listed]
        name = NONE if c is None else score.game.names[c]
        table.add_row(str(k), name, *numbers, percent(share[k]), "yes" if score.verdict.interpretable[k] else "no")
    return table


def metric_words(score: Score, metric: Metric, k: int, c: int) -> str:
    """A metric of feature k and kind c in words, with its interval where it has one."""
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
