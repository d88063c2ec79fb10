"""What the ladder's scores say about the diversity hypothesis (`docs/score.md`, "The primary test of the ladder")."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from scoring.metrics.arrays import FloatArray
from scoring.study.published import published
from scoring.study.table import by_objects, version_of
from scoring.study.trends import LEAST_RUNGS, MOST_RUNGS, exact_spearman, holm, jonckheere_terpstra, power

PRIMARY = "graded score, nmf, default layer, shared bank"
DEVIATIONS = (0.1, 0.25, 0.5, 1.0)
"""Of rung means, as shares of the whole rise, for which the power is given."""


@dataclass(frozen=True)
class Trend:
    """A trend along the ladder: its statistic (rho, or the share of concordant pairs), its p and Holm's for it."""

    name: str
    statistic: float
    p: float
    adjusted: float | None = None


@dataclass(frozen=True)
class Answer:
    """Of one group of agents: rungs, rung means of the primary number, trends, and power by shape and deviation.

    All are of one `version` of the score. `a_rung` is the fewest and the most agents of a rung. `primary` is None where
    there are too few rungs, too many for an exact test, or one without a number.
    """

    group: str
    version: int
    levels: tuple[int, ...]
    agents: int
    a_rung: tuple[int, int]
    means: FloatArray
    primary: Trend | None
    secondary: tuple[Trend, ...]
    power: dict[str, dict[float, float]]

    @property
    def descriptive(self) -> bool:
        """Whether some rung has only one agent, so that its place among the rungs is the luck of one training."""
        return self.a_rung[0] < 2


def at_default_layer(table: pd.DataFrame, bank: str) -> pd.DataFrame:
    """Every agent's rows at the network's own layer, untrained ones among them."""
    return table[(table["bank"] == bank) & (table["layer"] == table["default_layer"])]


def of_default_layer(table: pd.DataFrame, bank: str, features: str) -> pd.DataFrame:
    """The trained agents' rows at the network's own layer."""
    rows = at_default_layer(table, bank)
    return rows[(rows["features"] == features) & rows["trained"]]


def rung_means(rows: pd.DataFrame, column: str) -> pd.Series:
    """Mean of a column over the agents of each rung, in order of levels; unlimited levels (0) come last."""
    means = rows.groupby("levels")[column].mean()
    return means.reindex(sorted(means.index, key=lambda levels: (levels == 0, levels)))


def correlation(means: pd.Series) -> float | None:
    """Spearman's rho of rung means with their order; None for few rungs, equal means, or a rung without a number."""
    if len(means) < LEAST_RUNGS or means.isna().any() or means.nunique() == 1:
        return None
    return float(spearmanr(np.arange(len(means)), means).statistic)


def answer(table: pd.DataFrame, group: str) -> Answer:
    """The tests of one group of agents."""
    own = table[table["group"] == group]
    rows = of_default_layer(own, "shared", "nmf")
    means = rung_means(rows, "graded_score")
    testable = LEAST_RUNGS <= len(means) <= MOST_RUNGS and bool(means.notna().all())
    sizes = rows.groupby("levels").size()
    primary = Trend(PRIMARY, *exact_spearman(means.to_numpy())) if testable else None
    return Answer(
        group,
        version_of(own),
        tuple(map(int, means.index)),
        len(rows),
        (int(sizes.min()), int(sizes.max())),
        means.to_numpy(),
        primary,
        _secondary(own) if testable else (),
        _power(tuple(means.index)) if testable else {},
    )


def _secondary(own: pd.DataFrame) -> tuple[Trend, ...]:
    tests: dict[str, tuple[float, float]] = {}

    def add(name: str, rows: pd.DataFrame, column: str) -> None:
        means = rung_means(rows, column)
        if len(means) >= LEAST_RUNGS and means.notna().all():
            tests[name] = exact_spearman(means.to_numpy())

    add("interpretable fraction, nmf", of_default_layer(own, "shared", "nmf"), "interpretable_fraction")
    for column, name in (("graded_score", "graded score"), ("interpretable_fraction", "interpretable fraction")):
        add(f"{name}, channels", of_default_layer(own, "shared", "channels"), column)
    add("graded score, nmf, own banks", of_default_layer(own, "own", "nmf"), "graded_score")
    chosen = own[(own["bank"] == "shared") & (own["features"] == "nmf") & own["trained"]]
    for layer in sorted(set(chosen["layer"]) - set(chosen["default_layer"])):
        add(f"graded score, nmf, layer {layer}", chosen[chosen["layer"] == layer], "graded_score")
    rows = of_default_layer(own, "shared", "nmf")
    by_seed = rows.pivot_table(index="seed", columns="levels", values="graded_score")
    by_seed = by_seed[rung_means(rows, "graded_score").index]
    if (by_seed.notna().sum(axis=1) >= LEAST_RUNGS).sum() >= 2:
        tests["graded score, nmf, agents within seeds (Jonckheere-Terpstra)"] = jonckheere_terpstra(by_seed.to_numpy())
    if version_of(own) != 1:
        add("graded score, nmf, by objects alone", rows, by_objects(version_of(own)))
    adjusted = holm({name: p for name, (_, p) in tests.items()})
    return tuple(Trend(name, statistic, p, adjusted[name]) for name, (statistic, p) in tests.items())


def _power(levels: tuple[int, ...]) -> dict[str, dict[float, float]]:
    """For the shape that people's ratings had, where the rungs are theirs, and for a rise in equal steps."""
    shapes: dict[str, FloatArray] = {"equal steps": np.linspace(0, 1, len(levels))}
    people = published()
    if levels == people.levels:
        rated = people.interpretable.mean(axis=0)
        shapes["as people rated"] = (rated - rated.min()) / np.ptp(rated)
    return {name: {deviation: power(shape, deviation) for deviation in DEVIATIONS} for name, shape in shapes.items()}
