"""Kappa of the pairs that reach the cut-off falls as the masks are shifted down."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rollouts.progress import Update, silent
from scoring.draw.charts import COLOURS, panels, save
from scoring.metrics.energies import Energies
from scoring.subject import Subject
from scoring.validation.base import CUTOFFS, Outcome, at_most, judged

TILES = (0, 1, 2, 4)
TILE = 64 / 13
"""Pixels of a tile: 13 are visible."""


@dataclass(frozen=True)
class ShiftedMasks:
    """Mean kappa of the pairs, with masks shifted by so many tiles."""

    tiles: list[int]
    kappa: list[float]


def shifted_masks(subject: Subject, name: str, progress: Update = silent) -> Outcome[ShiftedMasks]:
    """Pairs are of a feature and a kind of the headline, chosen with the masks where they are."""
    channels = judged(subject, "channels")
    allowed = np.flatnonzero(subject.headline)
    pairs = np.argwhere(np.nan_to_num(channels.verdict.kappa[:, allowed]) >= CUTOFFS.kappa)
    curve = []
    for tiles in TILES:
        masks = shifted(subject.evidence.masks, round(tiles * TILE))
        moved = replace(subject, evidence=replace(subject.evidence, masks=masks))
        wide = moved.masks(channels.config.dilation)
        energies = Energies.from_maps(channels.measured.maps, wide.shares, subject.bank.environment, subject.bank.time)
        kappa = np.nan_to_num(energies.kappa()[:, allowed])
        curve.append(float(np.mean([kappa[k, c] for k, c in pairs])) if len(pairs) else float("nan"))
        progress(0, f"masks shifted by {tiles} tiles")
    values = ", ".join(f"{value:.3f}" for value in curve)
    check = at_most(
        f"masks shifted by 0, 1, 2, 4 tiles, {name}: largest step of kappa",
        float(np.diff(curve).max()),
        0,
        f"kappa {values}; {len(pairs)} pairs",
    )
    return Outcome([check], ShiftedMasks(list(TILES), curve))


def shifted(masks: NDArray[np.bool_], pixels: int) -> NDArray[np.bool_]:
    """Masks (N, C, 64, 64) moved down; what comes in at the top is empty."""
    moved = np.zeros_like(masks)
    moved[:, :, pixels:] = masks[:, :, : masks.shape[2] - pixels]
    return moved


def figure(details: ShiftedMasks, path: Path) -> None:
    """Mean kappa of the pairs that were high, against the shift of the masks."""
    picture, (axis,) = panels(1, 5.0)
    axis.plot(details.tiles, details.kappa, "o-", color=COLOURS[0])
    axis.set(xlabel="masks shifted down, tiles", title="shifted masks", xticks=details.tiles)
    axis.set_ylabel(f"mean κ of the pairs with κ ≥ {CUTOFFS.kappa} unshifted")
    axis.axhline(0, color="0.8", lw=0.8)
    save(picture, path)
