"""Edges and constants detect no sprite; how near a filter for the coin's yellow comes to a coin detector."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rollouts.bank import FrameBank
from rollouts.progress import Update, silent
from scoring.draw.charts import bars, panels, save
from scoring.evidence import Evidence
from scoring.validation.base import CUTOFFS, Check, Outcome, at_most, explained, judged, reported
from scoring.validation.controls import HANDMADE, handmade


@dataclass(frozen=True)
class ByHand:
    """`kappa` of each feature on each class."""

    kappa: list[list[float]]
    features: list[str]
    classes: list[str]


def by_hand(bank: FrameBank, evidence: Evidence, progress: Update = silent) -> Outcome[ByHand]:
    subject = explained(handmade(), bank, evidence, steps=1)
    verdict, game = judged(subject, "channels").verdict, subject.game
    progress(0, "features made by hand")
    removable = np.flatnonzero(subject.headline & game.flags("controlled"))
    checks = []
    for k, name in enumerate(HANDMADE):
        kappa = np.nan_to_num(verdict.kappa[k, removable])
        highest, nearest = float(kappa.max()), game.names[removable[int(kappa.argmax())]]
        if name == "yellow":
            kind = int(verdict.kind[k])
            note = f"passes as {game.names[kind]}" if kind >= 0 else f"passes as nothing; nearest {nearest}"
            coin = float(np.nan_to_num(verdict.kappa[k, game.index("coin")]))
            checks.append(reported("yellow filter: kappa on coins, reported", coin, note))
        else:
            title = f"{name}: highest kappa on a sprite"
            checks.append(Check(title, highest, f"< {CUTOFFS.kappa}", highest < CUTOFFS.kappa, nearest))
    wrong = sum(bool(is_so) for name, is_so in zip(HANDMADE, verdict.interpretable, strict=True) if name != "yellow")
    checks.append(at_most("edges and constants that are interpretable, walls among the kinds", wrong, 0))
    return Outcome(checks, ByHand(verdict.kappa.tolist(), list(HANDMADE), list(game.names)))


def figure(details: ByHand, path: Path) -> None:
    """Kappa of each feature made by hand on each class."""
    picture, (axis,) = panels(1, 12.0)
    kappa = np.array(details.kappa, dtype=float)
    places = np.arange(kappa.shape[1])
    width = 0.8 / len(details.features)
    for number, name in enumerate(details.features):
        where = places + width * (number - (len(details.features) - 1) / 2)
        bars(axis, where, np.nan_to_num(kappa[number]), width, number, name, ("", "//", "..")[number % 3])
    for least, style in ((CUTOFFS.kappa, "--"), (CUTOFFS.fixed, ":")):
        axis.axhline(least, color="0.5", lw=1, ls=style)
    axis.set(xticks=places, ylabel="κ")
    axis.set_xticklabels(details.classes, rotation=40, ha="right")
    axis.set_title("features made by hand (dashed: cut-off of objects; dotted: of walls, player and velocity)")
    axis.legend(fontsize=8)
    save(picture, path)
