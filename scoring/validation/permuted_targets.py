"""A network that learnt an agent's values of shuffled frames, beside one that learnt the right ones."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.progress import Update, silent
from scoring.draw.charts import bars, panels, save
from scoring.evidence import Evidence
from scoring.validation.base import Outcome, at_most, explained, fraction, judged, reported
from scoring.validation.controls import distilled
from scoring.validation.levels import TERMS, Level, Levels, Terms, at_level, terms

NETWORK = "compact"
LOSS = 0.1
"""The part of the variance of the values that may be left unexplained."""


@dataclass(frozen=True, kw_only=True)
class DistilledRow(Terms):
    """A network that learnt values; `loss` is the part of their variance that it leaves unexplained."""

    loss: float
    fraction: float


@dataclass(frozen=True)
class PermutedTargets:
    """`rows` are of `right` and `shuffled` values, `level` is that of untrained networks."""

    rows: dict[str, DistilledRow]
    level: dict[str, Level]


def permuted_targets(
    agent: Agent, bank: FrameBank, evidence: Evidence, level: Levels, progress: Update = silent, loss: float = LOSS
) -> Outcome[PermutedTargets]:
    frames = np.concatenate([bank.frames, bank.pool])
    with torch.no_grad():
        values = np.concatenate([agent.network(torch.from_numpy(part))[1].numpy() for part in np.split(frames, 8)])
    values = (values - values.mean()) / values.std()
    rows = {}
    for name, targets in (("right", values), ("shuffled", np.random.default_rng(0).permutation(values))):
        student, reached = distilled(NETWORK, frames, targets, loss, seed=300)
        scored = judged(explained(student, bank, evidence), "channels")
        rows[name] = DistilledRow(**asdict(terms(scored)), loss=reached, fraction=fraction(scored))
        progress(0, f"distilled, {name} values")
    shuffled, right = rows["shuffled"], rows["right"]

    def beside(term: str) -> str:
        return f"right values {TERMS[term](right):.3f}, untrained {level[term]}"

    checks = [
        at_most("shuffled values: loss of the distilled network, standardised", shuffled.loss, loss),
        at_level("shuffled values: sign term", shuffled.sign, level["sign"], beside("sign")),
        at_level("shuffled values: T", shuffled.causal, level["causal"], beside("causal")),
        reported("shuffled values: kappa, reported", shuffled.kappa, beside("kappa")),
    ]
    return Outcome(checks, PermutedTargets(rows, dict(level)))


def figure(details: PermutedTargets, path: Path) -> None:
    """Terms of networks that learnt right and shuffled values, beside the untrained level."""
    picture, (axis,) = panels(1, 5.4)
    drawn = {"kappa": "κ", "sign": "sign term", "causal": "T"}
    places = np.arange(len(drawn))
    for number, (name, row) in enumerate(details.rows.items()):
        heights = [TERMS[term](row) for term in drawn]
        bars(axis, places + 0.25 * number - 0.25, heights, 0.25, number, f"{name} values (loss {row.loss:.2f})")
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
    axis.set(xticks=places, xticklabels=drawn.values(), title="a network that learnt the agent's values")
    axis.axhline(0, color="0.8", lw=0.8)
    axis.legend(fontsize=8)
    save(picture, path)
