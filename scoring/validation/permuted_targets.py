"""Networks that learnt an agent's values of shuffled frames, beside some that learnt the right ones."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.progress import Update, silent
from scoring.draw.charts import bars, panels, save
from scoring.evidence import Evidence
from scoring.laboratory.networks import distilled
from scoring.validation.base import Outcome, at_most, explained, fraction, judged, reported
from scoring.validation.levels import TERMS, Level, Levels, Terms, at_level, terms

NETWORK = "compact"
LOSS = 0.1
"""The part of the variance of the values that may be left unexplained."""
STUDENTS = 3
"""Networks that learn each: the T of a single one scatters, since it is unbounded below."""


@dataclass(frozen=True, kw_only=True)
class DistilledRow(Terms):
    """A network that learnt values; `loss` is the part of their variance that it leaves unexplained."""

    loss: float
    fraction: float


@dataclass(frozen=True)
class PermutedTargets:
    """`rows` are of networks that learnt `right` and `shuffled` values, `level` is that of untrained networks."""

    rows: dict[str, list[DistilledRow]]
    level: dict[str, Level]

    def mean(self, values: str, of: Callable[[DistilledRow], float]) -> float:
        """Over the networks that learnt these values."""
        return float(np.mean([of(row) for row in self.rows[values]]))


def permuted_targets(
    agent: Agent, bank: FrameBank, evidence: Evidence, level: Levels, progress: Update = silent, loss: float = LOSS
) -> Outcome[PermutedTargets]:
    frames = np.concatenate([bank.frames, bank.pool])
    with torch.no_grad():
        values = np.concatenate([agent.network(torch.from_numpy(part))[1].numpy() for part in np.split(frames, 8)])
    values = (values - values.mean()) / values.std()
    details = PermutedTargets({"right": [], "shuffled": []}, dict(level))
    for student in range(STUDENTS):
        shuffled = np.random.default_rng(student).permutation(values)
        for name, targets in (("right", values), ("shuffled", shuffled)):
            network, reached = distilled(NETWORK, frames, targets, loss, seed=300 + student)
            scored = judged(explained(network, bank, evidence), "channels")
            row = DistilledRow(**asdict(terms(scored)), loss=reached, fraction=fraction(scored))
            details.rows[name].append(row)
            progress(0, f"distilled, {name} values, network {student}")

    def term(name: str) -> tuple[float, Level, str]:
        """Of the networks that learnt shuffled values, the untrained level, and what both stand beside."""
        own = [TERMS[name](row) for row in details.rows["shuffled"]]
        each = ", ".join(f"{value:.3f}" for value in own)
        right = details.mean("right", TERMS[name])
        return float(np.mean(own)), level[name], f"{each}; right values {right:.3f}, untrained {level[name]}"

    worst = max(row.loss for row in details.rows["shuffled"])
    kappa, _, note = term("kappa")
    checks = [
        at_most("shuffled values: loss of the distilled networks, standardised, highest", worst, loss),
        at_level(f"shuffled values: sign term, mean of {STUDENTS}", *term("sign")),
        at_level(f"shuffled values: T, mean of {STUDENTS}", *term("causal")),
        reported("shuffled values: kappa, reported", kappa, note),
    ]
    return Outcome(checks, details)


def figure(details: PermutedTargets, path: Path) -> None:
    """Terms of networks that learnt right and shuffled values, beside the untrained level."""
    picture, (axis,) = panels(1, 5.4)
    drawn = {"kappa": "κ", "sign": "sign term", "causal": "T"}
    places = np.arange(len(drawn))
    for number, (name, rows) in enumerate(details.rows.items()):
        heights = [details.mean(name, TERMS[term]) for term in drawn]
        where = places + 0.25 * number - 0.25
        bars(axis, where, heights, 0.25, number, f"{name} values, mean of {len(rows)}")
        for row in rows:
            axis.plot(where, [TERMS[term](row) for term in drawn], ".", color="black", ms=4)
    levels = [details.level[term] for term in drawn]
    axis.errorbar(
        places + 0.25,
        [level.mean for level in levels],
        [2 * level.deviation for level in levels],
        fmt="o",
        color="0.3",
        capsize=4,
        label="untrained, ± 2 sd",
    )
    axis.set(xticks=places, xticklabels=drawn.values(), title="networks that learnt the agent's values")
    axis.axhline(0, color="0.8", lw=0.8)
    axis.legend(fontsize=8)
    save(picture, path)
