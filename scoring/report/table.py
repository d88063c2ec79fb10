"""A score as text: labels of features, a table of agents, and the features' parquet file."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from rollouts.files import atomic_path
from scoring.evidence import NAMES, SCORED
from scoring.metrics.energies import MIN_EPISODES
from scoring.pipeline import Score
from scoring.subject import MIN_ENVIRONMENTS


def nearest_class(score: Score, k: int) -> int | None:
    """The class that feature k is interpreted as, or else the eligible one with the highest kappa, if there is any."""
    if score.features.which[k] >= 0:
        return int(score.features.which[k])
    allowed = score.eligible & np.isin(NAMES, SCORED)
    kappa = np.where(allowed, np.nan_to_num(score.features.kappa[k], nan=-1), -np.inf)
    return int(kappa.argmax()) if allowed.any() else None


def label(score: Score, k: int) -> str:
    """Three lines about feature k: what it is interpreted as, or the class it comes nearest to, and its numbers."""
    found, c = score.features, nearest_class(score, k)
    if c is None:
        return f"{k}: no class\n\nshare {found.share[k]:.0%}"
    sense = "positive" if found.sign[k, c] > 0 else "negative"
    head = f"{k}: {NAMES[c]}, {sense}" if found.interpretable[k] else f"{k}: no class (nearest: {NAMES[c]})"
    numbers = f"κ {found.kappa[k, c]:.2f}   T {_nan(found.causal[k, c])}   sign {found.sign[k, c]:+.2f}"
    return f"{head}\n{numbers}\nshare {found.share[k]:.0%}"


def interval(number: dict[str, Any], digits: int = 2) -> str:
    """'0.31 (0.20 to 0.42)', or '–' where there is no number."""
    if number["value"] is None:
        return "–"
    low, high = number["interval"]
    return f"{number['value']:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def classes_found(classes: dict[str, float]) -> str:
    """'coin, saw (33 %)': a share of the factorisations stands where it is not all of them."""
    return ", ".join(name if share == 1 else f"{name} ({share:.0%})" for name, share in classes.items()) or "none"


def comparison(columns: Sequence[tuple[str, dict[str, Any]]]) -> Table:
    """Agents side by side: a column for each name and summary (`Score.summary`)."""
    table = Table(title=None, show_lines=False)
    table.add_column("")
    for name, _ in columns:
        table.add_column(name, justify="right")
    rows = (
        ("interpretable fraction", lambda s: interval(s["headline"]["interpretable_fraction"])),
        ("graded score", lambda s: interval(s["headline"]["graded_score"])),
        ("classes found", lambda s: classes_found(s["headline"]["classes"])),
        ("lift, bits", lambda s: interval(s["diagnostics"]["lift"])),
        ("localisation, bits", lambda s: interval(s["diagnostics"]["localisation"])),
        ("orbay2020", lambda s: _plain(s["diagnostics"]["orbay2020"]["rf_box"]["value"])),
        ("  its chance level", lambda s: _plain(s["diagnostics"]["orbay2020"]["rf_box"]["chance"])),
        ("  share of the frame that objects cover", lambda s: _plain(s["diagnostics"]["prevalence"]["objects"])),
        ("completeness error, largest", lambda s: _plain(s["diagnostics"]["completeness_error"]["max"], 4)),
    )
    for name, value in rows:
        table.add_row(name, *(value(summary) for _, summary in columns))
    return table


def why_no_headline(summary: dict[str, Any]) -> str | None:
    """The sentence that says what a bank lacks for a headline; None where nothing."""
    environments, enough = summary["bank"]["environments"], MIN_ENVIRONMENTS
    if environments < enough:
        return f"The bank has {environments} of the {enough} environments that a headline, intervals and tests need."
    if not summary["headline"]["eligible"]:
        return f"No class is seen in the {MIN_EPISODES} episodes that a number needs, so there is no headline."
    return None


def _plain(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def features_table(score: Score) -> Table:
    """The features by share of attribution, each with its nearest class."""
    table = Table()
    for name in (
        "feature",
        "class",
        "κ (95 % interval)",
        "T",
        "T control",
        "sign",
        "lift, bits",
        "share",
        "interpretable",
    ):
        table.add_column(name, justify="left" if name in ("feature", "class") else "right")
    found = score.features
    for k in np.argsort(-found.share):
        c = nearest_class(score, k)
        if c is None:
            table.add_row(str(k), "–", "–", "–", "–", "–", "–", f"{found.share[k]:.1%}", "no")
            continue
        low, high = found.kappa_interval[:, k, c]
        table.add_row(
            str(k),
            NAMES[c],
            f"{found.kappa[k, c]:.2f} ({low:.2f} to {high:.2f})",
            _nan(found.causal[k, c]),
            _nan(found.causal_control[k, c]),
            _nan(found.sign[k, c]),
            _nan(found.lift[k, c]),
            f"{found.share[k]:.1%}",
            "yes" if found.interpretable[k] else "no",
        )
    return table


def _nan(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.2f}"


def frame(score: Score) -> pd.DataFrame:
    """One row a feature and class, every number there is."""
    found = score.features
    features, classes = found.kappa.shape
    table = pd.DataFrame(
        {
            "feature": np.repeat(np.arange(features), classes),
            "class": list(NAMES) * features,
            "eligible": np.tile(score.eligible, features),
            "headline_class": np.tile(np.isin(NAMES, SCORED), features),
        }
    )
    for name in (
        "energy",
        "chance_between",
        "chance_within",
        "lift",
        "localisation",
        "kappa",
        "sign",
        "causal",
        "causal_control",
        "stability",
        "iou",
        "average_precision",
        "p",
        "significant",
    ):
        table[name] = getattr(found, name).reshape(-1)
    table["kappa_low"], table["kappa_high"] = found.kappa_interval.reshape(2, -1)
    for name in ("share", "interpretable", "graded", "best_lift"):
        table[name] = np.repeat(getattr(found, name), classes)
    table["is_its_class"] = table["class"] == np.repeat([NAMES[c] if c >= 0 else "" for c in found.which], classes)
    return table


def save_parquet(path: Path, score: Score) -> None:
    """Write `frame(score)` atomically."""
    with atomic_path(path) as temporary:
        frame(score).to_parquet(temporary, index=False)
