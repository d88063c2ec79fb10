"""RESULTS.md and its pictures from the tables alone."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rollouts.files import write_atomically
from scoring.study.answer import answer
from scoring.study.figures import FIGURES, along_training
from scoring.study.members import slug
from scoring.study.table import read, version_of
from scoring.study.text import results


def report(folder: Path, table: pd.DataFrame, along: pd.DataFrame | None, unread: Sequence[str] = ()) -> str:
    """Write the pictures and RESULTS.md into a folder; returns the text.

    Both are of the latest version of the score in the table; the text tells an earlier one in a section of its own.
    `along` has the scores along trainings; those of other agents are left out. `unread` names files that are no agents.
    """
    latest = table["version"] == table["version"].max()
    table, earlier = table[latest], table[~latest]
    groups = list(dict.fromkeys(table["group"]))
    prefixes = {group: "" if len(groups) == 1 else f"{slug(group)}-" for group in groups}
    if along is not None:
        along = along[along["version"] == version_of(table)]
        same = along[along["weights_sha256"].isin(table["weights_sha256"])]
        known = along.groupby("group")["completes"].transform("count") > 0
        along = along[along["agent"].isin(same["agent"]) & known]
    for group in groups:
        rows = table[table["group"] == group]
        for name, draw in FIGURES.items():
            draw(rows, folder / f"{prefixes[group]}{name}.png")
        if along is not None and (along["group"] == group).any():
            along_training(along[along["group"] == group], rows, folder / f"{prefixes[group]}training.png")
    text = results(table, [answer(table, group) for group in groups], prefixes, unread, along, earlier)
    write_atomically(folder / "RESULTS.md", text)
    return text


def first_table(*paths: Path) -> pd.DataFrame | None:
    """The first of the tables that is there; None without."""
    return next((read(path) for path in paths if path.exists()), None)
