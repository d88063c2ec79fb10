"""The part of RESULTS.md that shows an earlier version of the score beside the one that all other parts are of."""

import pandas as pd

from scoring.draw.markdown import table as markdown
from scoring.draw.words import plain
from scoring.study.answer import at_default_layer, correlation, rung_means
from scoring.study.cells import in_order
from scoring.study.table import version_of

COLUMNS = tuple(
    (column, name, form, features)
    for column, name, form in (
        ("graded_score", "graded score", ".3f"),
        ("interpretable_fraction", "fraction", ".2f"),
    )
    for features in ("nmf", "channels")
)


def beside(rows: pd.DataFrame, earlier: pd.DataFrame) -> str:
    """Both versions' numbers of every agent of a group, and how each goes with the number of levels.

    `rows` and `earlier` are each of one version.
    """
    versions = [(version_of(own), at_default_layer(own, "shared")) for own in (rows, earlier)]
    agents = in_order(versions[0][1].drop_duplicates("agent"))
    names = [*agents["agent"][agents["trained"]], *agents["agent"][~agents["trained"]]]
    heads, columns = [], []
    for column, name, form, features in COLUMNS:
        for version, own in versions:
            chosen = own[own["features"] == features]
            values = chosen.set_index("agent")[column]
            rho = correlation(rung_means(chosen[chosen["trained"]], column))
            heads.append(f"{name}, {features}, version {version}")
            columns.append([*(plain(values.get(agent), form) for agent in names), plain(rho, ".2f")])
    number = versions[1][0]
    cells = zip([*names, "Spearman's ρ with levels"], *columns, strict=True)
    return (
        f"### Version {number}, beside it\n\n"
        f"The same attributions of the default layer on the shared bank, scored with version {number} as well "
        f"(`docs/score-{number}.md`), which has other kinds and cut-offs. Numbers of two versions are not to be "
        "compared: each column is to be read by itself. The last row has the correlation of rung means with the number "
        "of levels (no test).\n\n"
        f"{markdown(('agent', *heads), [*map(list, cells)])}"
    )
