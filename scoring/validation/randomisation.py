"""Cascading randomisation (Adebayo et al. 2018): with the weights go the terms of the score that depend on them."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.progress import Update, silent
from scoring.draw.charts import COLOURS, MARKERS, panels, save
from scoring.evidence import Evidence
from scoring.laboratory.networks import cascade, randomised
from scoring.metrics.arrays import Maps
from scoring.metrics.likeness import likeness
from scoring.validation.base import Outcome, explained, judged
from scoring.validation.levels import Level, Levels, Terms, at_level, terms

SEEDS = 3
FRAMES = 64
"""On which maps are compared."""
CONVOLUTIONS = ("2b_conv", "2a_conv", "1a_conv")
ALONE = "2b, 2a, 1a alone"


@dataclass(frozen=True, kw_only=True)
class RandomisedRow(Terms):
    """An agent randomised down to `stage`, and how alike its maps are to the trained agent's."""

    stage: str
    seed: int
    spearman_signed: float
    spearman_absolute: float
    ssim: float


@dataclass(frozen=True)
class Randomisation:
    """`level` is that of untrained networks."""

    rows: list[RandomisedRow]
    level: dict[str, Level]
    stages: list[str]

    def mean(self, stage: str, of: Callable[[RandomisedRow], float]) -> float:
        return float(np.mean([of(row) for row in self.rows if row.stage == stage]))


def randomisation(
    agent: Agent, bank: FrameBank, evidence: Evidence, level: Levels, progress: Update = silent, seeds: int = SEEDS
) -> Outcome[Randomisation]:
    """From the value head down, and of 2b, 2a and 1a alone.

    The curve has, against the trained agent's maps, the rank correlation of signed and of absolute attribution and the
    structural similarity of each frame's absolute attribution summed over channels.
    """
    parts = cascade(agent.network)
    stages: dict[str, list[str]] = {"trained": []}
    stages |= {part: parts[: number + 1] for number, part in enumerate(parts)}
    stages[ALONE] = [part for part in parts if part in CONVOLUTIONS]
    trained: Maps | None = None
    rows = []
    for stage, chosen in stages.items():
        for seed in range(seeds if chosen else 1):
            scored = judged(explained(randomised(agent, chosen, 200 + seed), bank, evidence), "channels")
            maps = scored.measured.maps[:FRAMES]
            trained = maps if trained is None else trained
            rows.append(
                RandomisedRow(**asdict(terms(scored)), **asdict(likeness(maps, trained)), stage=stage, seed=seed)
            )
            progress(0, f"randomised down to {stage}, seed {seed}")
    details = Randomisation(rows, dict(level), list(stages))
    sign, kappa = details.mean("value", lambda row: row.sign), details.mean(ALONE, lambda row: row.kappa)
    checks = [
        at_level(
            "value head random: sign term",
            sign,
            level["sign"],
            f"trained {details.mean('trained', lambda row: row.sign):.3f}, untrained {level['sign']}",
        ),
        at_level(
            "2b, 2a, 1a random, the rest trained: kappa",
            kappa,
            level["kappa"],
            f"trained {details.mean('trained', lambda row: row.kappa):.3f}, untrained {level['kappa']}",
        ),
    ]
    return Outcome(checks, details)


Curve = tuple[str, Callable[[RandomisedRow], float], str | None]
"""A name, its number, and the term of the level it is held against."""


def figure(details: Randomisation, path: Path) -> None:
    """Terms of the score and likeness of the maps as an agent is randomised from the head down."""
    picture, (left, right) = panels(2, 6.2, 4.2)
    scores: tuple[Curve, ...] = (
        ("κ", lambda row: row.kappa, "kappa"),
        ("sign term", lambda row: row.sign, "sign"),
        ("graded score", lambda row: row.graded, "graded"),
    )
    alike: tuple[Curve, ...] = (
        ("Spearman, signed", lambda row: row.spearman_signed, None),
        ("Spearman, absolute", lambda row: row.spearman_absolute, None),
        ("SSIM", lambda row: row.ssim, None),
    )
    _curves(left, details, scores, "bands: untrained, ± 2 sd")
    _curves(right, details, alike, "likeness to the trained agent's maps")
    save(picture, path)


def _curves(axis: Axes, details: Randomisation, curves: tuple[Curve, ...], title: str) -> None:
    for number, (name, of, term) in enumerate(curves):
        means = [details.mean(stage, of) for stage in details.stages]
        axis.plot(means, MARKERS[number] + "-", color=COLOURS[number], label=name)
        if term is not None:
            mean, deviation = details.level[term]
            axis.axhspan(mean - 2 * deviation, mean + 2 * deviation, color=COLOURS[number], alpha=0.12, lw=0)
    axis.set(xticks=range(len(details.stages)), xlabel="randomised down to", title=title)
    axis.set_xticklabels(details.stages, rotation=40, ha="right", fontsize=8)
    axis.axhline(0, color="0.8", lw=0.8)
    axis.legend(fontsize=8)
