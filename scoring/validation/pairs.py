"""Of the pairs of feature and class with high kappa most pass the causal test, of the others few do."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from rollouts.progress import Update, silent
from scoring.draw.charts import panels, points, save
from scoring.subject import Subject
from scoring.validation.base import BASES, CUTOFFS, Outcome, at_least, at_most, judged


@dataclass(frozen=True)
class Pair:
    """A living feature of an agent and a kind of thing, with both numbers."""

    agent: str
    features: str
    kind: Annotated[str, Field(serialization_alias="class")]
    kappa: float
    causal: float


@dataclass(frozen=True)
class Pairs:
    rows: list[Pair]


def pairs(subjects: Mapping[str, Subject], progress: Update = silent) -> Outcome[Pairs]:
    """Kinds are those of the headline that have the control of a removal."""
    rows = []
    for name, subject in subjects.items():
        for features in BASES:
            rows += _pairs(name, subject, features)
            progress(0, f"pairs of {name}, {features}")
    high = [row.causal >= CUTOFFS.causal for row in rows if row.kappa >= CUTOFFS.kappa]
    low = [row.causal >= CUTOFFS.causal for row in rows if row.kappa < CUTOFFS.kappa]
    title = "kappa: share that passes the causal test"
    checks = [
        at_least(f"pairs with high {title}", float(np.mean(high)), 0.7, f"{len(high)} pairs"),
        at_most(f"pairs with low {title}", float(np.mean(low)), 0.35, f"{len(low)} pairs"),
    ]
    return Outcome(checks, Pairs(rows))


def _pairs(agent: str, subject: Subject, features: str) -> list[Pair]:
    verdict, game = judged(subject, features).verdict, subject.game
    return [
        Pair(agent, features, game.names[c], float(verdict.kappa[k, c]), float(verdict.causal[k, c]))
        for c in np.flatnonzero(subject.headline & game.flags("controlled"))
        for k in np.flatnonzero(verdict.alive)
        if np.isfinite([verdict.kappa[k, c], verdict.causal[k, c]]).all()
    ]


def figure(details: Pairs, path: Path) -> None:
    """T against kappa for every pair of feature and class."""
    picture, (axis,) = panels(1, 6.0, 4.2)
    for number, agent in enumerate(dict.fromkeys(row.agent for row in details.rows)):
        own = [row for row in details.rows if row.agent == agent]
        causal = np.clip([row.causal for row in own], -1.5, 1.1)
        points(axis, [row.kappa for row in own], causal, number, agent, alpha=0.7)
    axis.axvline(CUTOFFS.kappa, color="0.5", lw=1, ls="--")
    axis.axhline(CUTOFFS.causal, color="0.5", lw=1, ls="--")
    axis.set(xlabel="κ", ylabel="T (below −1.5 drawn at −1.5)", title="pairs of feature and class")
    axis.legend(fontsize=8)
    save(picture, path)
