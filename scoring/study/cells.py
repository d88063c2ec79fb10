"""Cells of the tables in RESULTS.md, and the order of their rows."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from scoring.draw.words import NONE, percent_with_interval, plain, with_interval
from scoring.metrics.statistics import Number

TO = "–"
"""Between the limits of an interval in a table."""


def number_of_levels(levels: int) -> str:
    return f"{levels:,}" if levels else "unlimited"


def versioned(words: str, version: int) -> str:
    """'graded score, version 2'; what is told of version 1 alone names none, as it was shipped."""
    return words if version == 1 else f"{words}, version {version}"


def levels_in_order(levels: Iterable[int]) -> list[int]:
    """Different numbers of levels, unlimited ones (0) last."""
    return sorted(set(levels), key=lambda count: (count == 0, count))


def in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by number of levels, unlimited ones (0) last, then by seed."""
    return rows.sort_values(
        ["levels", "seed"], key=lambda column: column.replace(0, np.inf) if column.name == "levels" else column
    )


def completed(row: pd.Series, levels: str) -> str:
    share, limits = row[f"{levels}_completed"], (row[f"{levels}_low"], row[f"{levels}_high"])
    return NONE if np.isnan(share) else percent_with_interval(share, limits, between=TO)


def with_limits(row: pd.Series, name: str, form: str) -> str:
    value = None if pd.isna(row[name]) else row[name]
    return with_interval(Number(value, (row[f"{name}_low"], row[f"{name}_high"])), form, TO)


def nearest(row: pd.Series, kind: str) -> str:
    """'0.32, 1': the highest kappa of any feature on a kind of thing, and how many are interpretable by it."""
    kappa = row[f"kappa_{kind}"]
    return NONE if pd.isna(kappa) else f"{plain(kappa, '.2f')}, {row[f'found_{kind}']:.0f}"
