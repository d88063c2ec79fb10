"""Features described by the best union of a few concepts (Mu and Andreas 2020, Compositional Explanations of Neurons).

What is best is measured by kappa (`energies.py`), where they take intersection over union."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce

import numpy as np

from scoring.metrics.arrays import BoolArray, FloatArray, Labels, Maps, check_axes, ratio
from scoring.metrics.statistics import halves
from scoring.threads import divide

LONGEST = 3
"""Concepts of a description at most."""

GAIN = 0.05
"""What another concept must add to the held-out kappa; less is not worth a longer description."""

Members = tuple[int, ...]
Kappas = dict[frozenset[int], FloatArray]
"""A feature's kappa with each union, on groups of frames (G,)."""


@dataclass(frozen=True)
class Description:
    """Concepts in the order in which they were chosen, and the held-out kappa of choosing so many of them."""

    members: Members
    kappa: float

    @property
    def mixture(self) -> bool:
        """Whether it takes more than one concept."""
        return len(self.members) > 1


@dataclass(frozen=True)
class GroupedMaps:
    """A feature's |alpha| on N frames of P cells, and what kappa needs of it on each of G groups of the frames.

    `w` (N, P); `share` (G, N) is each frame's part of the group's attribution, `average` (G, P) the group's average map
    pi, and `scale` (G, N) one over the group's attribution for its own frames, 0 for others. nan for a group without
    attribution.
    """

    w: Maps
    share: FloatArray
    average: Maps
    scale: FloatArray

    @classmethod
    def of(cls, alpha: Maps, groups: FloatArray) -> "GroupedMaps":
        """From a feature's signed maps (N, H, W), and groups (G, N), 1 for the frames of a group and 0 for others."""
        check_axes(alpha=(alpha, "N H W"), groups=(groups, "G N"))
        w = np.abs(alpha, dtype=np.float32).reshape(len(alpha), -1)
        mass = w.sum(axis=1, dtype=np.float64)
        scale = ratio(groups, (groups @ mass)[:, None])
        return cls(w, scale * mass, scale.astype(np.float32) @ w, scale)

    def kappa(self, y: Maps) -> FloatArray:
        """(E - Ew) / (1 - Ew) on each group (G,), as `Energies.kappa`; `y` (N, P) is the part of each cell covered.

        It is 1 - (1 - E) / (1 - Ew), which single precision serves better where both are near 1.
        """
        check_axes(w=(self.w, "N P"), y=(y, "N P"))
        uncovered = np.maximum(1 - y, 0)  # exactly 0, and kappa no number, where a mask covers everything
        missed = self.scale @ np.einsum("np,np->n", self.w, uncovered)
        missed_by_chance = (self.share * (self.average @ uncovered.T)).sum(axis=1)
        return 1 - ratio(missed, missed_by_chance)


def describe(
    maps: Maps,
    masks: BoolArray,
    shares: Callable[[BoolArray], Maps],
    environment: Labels,
    allowed: BoolArray,
    wanted: BoolArray,
    seed: int,
) -> list[Description | None]:
    """The best union of up to `LONGEST` of the `allowed` concepts (C,) for each of the `wanted` features (K,).

    `maps` (N, K, H, W) are signed, each frame normalised; `masks` (N, C, 64, 64) are of widened pixels, and `shares`
    turns masks (N, 64, 64) into the part of each cell that they cover (N, H, W); `environment` (N,).

    A union grows by the concept that makes its kappa highest (theirs by beam search). One is grown on all frames, one
    on a random half of the environments and one on the other half. The held-out kappa is the mean of the last two
    unions', each on the half on which it was not grown. The description ends where a concept adds less than `GAIN` to
    that. A concept that never moves has kappa 0 itself, but raises a union's by lowering 1 - Ew: it should not be
    allowed.

    None for a feature that is not wanted, or without kappa: no attribution in one of the halves, or no concept. Raises
    `InputError` below four environments.
    """
    check_axes(
        maps=(maps, "N K H W"),
        masks=(masks, "N C Y X"),
        environment=(environment, "N"),
        allowed=(allowed, "C"),
        wanted=(wanted, "K"),
    )
    label = np.unique(environment, return_inverse=True)[1].reshape(-1)
    half, other = halves(int(label.max()) + 1, seed, splits=1)[:, 0, label]
    groups = np.stack([np.ones_like(half), half, other])
    features = {k: GroupedMaps.of(maps[:, k], groups) for k in np.flatnonzero(wanted).tolist()}
    concepts = np.flatnonzero(allowed).tolist()
    found: list[Description | None] = [None] * len(wanted)
    grown: dict[int, list[Members]] = {k: [()] * len(groups) for k in features}
    for _ in range(min(LONGEST, len(concepts))):
        longer = {
            k: [[(*members, c) for c in concepts if c not in members] for members in unions]
            for k, unions in grown.items()
        }
        kappas = _measured(features, longer, masks, shares)
        for k, candidates in longer.items():
            grown[k] = [_best(candidates[g], kappas[k], g) for g in range(len(groups))]
            on_all, on_half, on_other = grown[k]
            held_out = float(kappas[k][frozenset(on_half)][2] + kappas[k][frozenset(on_other)][1]) / 2
            shorter = found[k]
            if held_out >= (-np.inf if shorter is None else shorter.kappa + GAIN):
                found[k] = Description(on_all, held_out)
            else:
                del grown[k]
    return found


def _measured(
    features: dict[int, GroupedMaps],
    longer: dict[int, list[list[Members]]],
    masks: BoolArray,
    shares: Callable[[BoolArray], Maps],
) -> dict[int, Kappas]:
    """kappa of each feature with each of its candidates; the cells of a union are worked out once for all features."""
    wanting: dict[frozenset[int], list[int]] = {}
    for k, candidates in longer.items():
        for union in dict.fromkeys(frozenset(members) for of_group in candidates for members in of_group):
            wanting.setdefault(union, []).append(k)

    def measure(union: frozenset[int]) -> list[FloatArray]:
        y = shares(reduce(np.logical_or, [masks[:, c] for c in union])).reshape(len(masks), -1)
        return [features[k].kappa(y) for k in wanting[union]]

    kappas: dict[int, Kappas] = {k: {} for k in longer}
    for union, values in zip(wanting, divide(measure, wanting), strict=True):
        for k, value in zip(wanting[union], values, strict=True):
            kappas[k][union] = value
    return kappas


def _best(candidates: list[Members], kappas: Kappas, group: int) -> Members:
    """The candidate with the highest kappa on a group of frames, the first of those that are equal."""
    return max(candidates, key=lambda members: np.nan_to_num(kappas[frozenset(members)][group], nan=-np.inf))
