"""Untrained networks of every kind have no interpretable features to speak of."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from agents.checkpoint import untrained_agent
from agents.networks import NETWORKS
from rollouts.bank import FrameBank
from rollouts.progress import Update, silent
from scoring.draw.charts import panels, points, save
from scoring.evidence import Evidence
from scoring.validation.base import BASES, Outcome, at_most, explained, fraction, judged
from scoring.validation.levels import Level, Terms, levels, terms

SEEDS = 10
BOUND = 0.02


@dataclass(frozen=True, kw_only=True)
class UntrainedRow(Terms):
    """One network's features of a kind."""

    network: str
    seed: int
    features: str
    fraction: float


@dataclass(frozen=True)
class Untrained:
    rows: list[UntrainedRow]

    def of(self, network: str, features: str) -> list[UntrainedRow]:
        return [row for row in self.rows if (row.network, row.features) == (network, features)]

    def level(self, network: str) -> dict[str, Level]:
        """Of the channels of untrained networks of one kind."""
        return levels(self.of(network, "channels"))


def untrained(bank: FrameBank, evidence: Evidence, progress: Update = silent, seeds: int = SEEDS) -> Outcome[Untrained]:
    rows = []
    for network in NETWORKS:
        for seed in range(seeds):
            agent = untrained_agent(network, bank.options, 100 + seed)
            subject = explained(agent, bank, evidence, pool=True)
            for features in BASES:
                scored = judged(subject, features)
                row = UntrainedRow(
                    **asdict(terms(scored)), network=network, seed=seed, features=features, fraction=fraction(scored)
                )
                rows.append(row)
            progress(0, f"untrained {network}, seed {seed}")
    details = Untrained(rows)
    checks = [
        at_most(
            f"untrained {network}, {features}: interpretable fraction",
            float(np.mean([row.fraction for row in details.of(network, features)])),
            BOUND,
        )
        for network in NETWORKS
        for features in BASES
    ]
    return Outcome(checks, details)


def figure(details: Untrained, path: Path) -> None:
    """Fraction and graded score of untrained networks, by kind."""
    picture, axes = panels(2)
    networks = list(dict.fromkeys(row.network for row in details.rows))
    measures: tuple[tuple[str, Callable[[UntrainedRow], float]], ...] = (
        ("interpretable fraction", lambda row: row.fraction),
        ("graded score", lambda row: row.graded),
    )
    for axis, (title, of) in zip(axes, measures, strict=True):
        for number, features in enumerate(BASES):
            for place, network in enumerate(networks):
                values = [of(row) for row in details.of(network, features)]
                places = place + 0.3 * number - 0.15 + np.linspace(-0.08, 0.08, len(values))
                points(axis, places, values, number, features if place == 0 else None)
        axis.set(
            xticks=range(len(networks)), xticklabels=networks, title=f"untrained networks: {title}", ylim=(-0.03, 0.6)
        )
        axis.legend(fontsize=8)
    axes[0].axhline(BOUND, color="0.5", lw=1, ls="--")
    save(picture, path)
