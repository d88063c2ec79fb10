"""What a feature's card in the report's page says and shows."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.draw.frames import top_frames
from scoring.evidence import NAMES
from scoring.metrics.arrays import FloatArray
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import jackknife_interval
from scoring.pipeline import Score
from scoring.report.table import nearest_class
from scoring.subject import Subject

MOST = 8
"""Features that the page shows; the rest of the attribution is its residual."""
TOP = 8
GRID = 8
"""The grid of examples has so many positions along each side."""
REUSE = 3
"""Positions of the grid that one frame may fill (Hilton et al. 2020)."""
BINS = 40


def shown_features(score: Score) -> list[int]:
    """Rows of the features with the largest share of attribution, at most `MOST`."""
    return [int(k) for k in np.argsort(-score.features.share, kind="stable")[:MOST]]


@dataclass(frozen=True)
class Examples:
    """For each position of the grid (GRID, GRID), the frame that is shown there and the activation it has there."""

    frame: NDArray[np.int64]
    activation: FloatArray


def example_grid(activations: NDArray[np.floating[Any]]) -> Examples:
    """At each position a frame where the feature (N, H, W) fires most there, each frame at `REUSE` positions at most.

    Pairs of position and frame are taken in the order of activation. A position is a block of cells, as even as the
    layer's size allows, and its activation the largest in it.
    """
    frames, size = activations.shape[0], activations.shape[-1]
    spans = [slice(int(low), int(np.ceil(high))) for low, high in pairwise(np.linspace(0, size, GRID + 1))]
    blocks = np.array([[activations[:, r, c].max(axis=(1, 2)) for c in spans] for r in spans])
    grid, strength = np.full(GRID * GRID, -1), np.zeros(GRID * GRID)
    used = np.zeros(frames, dtype=int)
    flat = blocks.reshape(GRID * GRID, frames)
    for pair in np.argsort(-flat, axis=None, kind="stable"):
        position, frame = divmod(int(pair), frames)
        if grid[position] < 0 and used[frame] < REUSE:
            grid[position], strength[position] = frame, flat[position, frame]
            used[frame] += 1
    return Examples(grid.reshape(GRID, GRID), strength.reshape(GRID, GRID))


def histogram(values: NDArray[np.floating[Any]]) -> dict[str, Any]:
    """Counts of the values in `BINS` equal bins from `low` to `high`."""
    counts, edges = np.histogram(values, bins=BINS)
    return {"low": float(edges[0]), "high": float(edges[-1]), "counts": counts.tolist()}


def lift_limits(energies: Energies) -> tuple[FloatArray, FloatArray]:
    """Jackknife limits (2, K, C) of the lift of every feature and class over environments, and the lift (K, C)."""
    lift = energies.lift()
    left_out = energies.lift(1 - np.eye(energies.environments))
    limits = np.full((2, *lift.shape), np.nan)
    for k, c in np.ndindex(lift.shape):
        limits[:, k, c] = jackknife_interval(float(lift[k, c]), left_out[:, k, c])
    return limits, lift


def cards(score: Score, subject: Subject, dilation: int) -> list[dict[str, Any]]:
    """A card for each feature shown, as JSON can hold it; frames are rows of the bank, nan is where no number is."""
    shown, found = shown_features(score), score.features
    attributed = score.basis.transform(subject.own)
    directions = score.basis.directions[shown]
    activations = np.einsum("kc,nchw->nkhw", directions, subject.own.activations, optimize=True)
    limits = np.full((2, *found.lift.shape), np.nan)
    if subject.resamples:
        masks = subject.masks(dilation)
        limits, _ = lift_limits(Energies.from_maps(score.maps, masks, subject.bank.environment, subject.bank.time))
    result = []
    for rank, k in enumerate(shown):
        c = nearest_class(score, k)
        grid = example_grid(activations[:, rank])
        result.append(
            {
                "row": k,
                "share": found.share[k],
                "interpretable": bool(found.interpretable[k]),
                "class": None if c is None else NAMES[c],
                "graded": found.graded[k],
                **{
                    name: np.nan if c is None else getattr(found, name)[k, c]
                    for name in (
                        "kappa",
                        "causal",
                        "causal_control",
                        "sign",
                        "stability",
                        "localisation",
                        "iou",
                        "average_precision",
                        "p",
                    )
                },
                "kappa_interval": [np.nan, np.nan] if c is None else found.kappa_interval[:, k, c],
                "lifts": [
                    {"class": name, "value": found.lift[k, i], "low": limits[0, k, i], "high": limits[1, k, i]}
                    for i, name in enumerate(NAMES)
                    if score.eligible[i]
                ],
                "top": top_frames(score.maps[:, k], subject.bank.environment, TOP),
                "grid": grid.frame,
                "grid_activation": grid.activation,
                "activation": histogram(activations[:, rank]),
                "attribution": histogram(attributed[:, k]),
            }
        )
    return result
