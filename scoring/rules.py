"""The rules: which features are interpretable, and how far, in each version of the score (`docs/score.md`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rollouts.errors import InputError
from rollouts.game import Game, Kind
from scoring.metrics.arrays import BoolArray, FloatArray, IntArray, Weights, check_axes
from scoring.metrics.energies import Effect, Energies

NEAR = 0.9
"""Kinds with this much of the highest kappa are as good."""


@dataclass(frozen=True)
class Cutoffs:
    """What a feature must reach to count as interpretable; below `dead`, its share of all attribution, it is dead.

    `fixed` takes the place of `kappa` for kinds that are no objects. `outline` is asked of parts of walls, where they
    have a causal test at all (version 2).
    """

    kappa: float = 0.125
    fixed: float = 0.2
    causal: float = 0.5
    sign: float = 0.5
    dead: float = 0.001
    outline: float | None = None


@dataclass(frozen=True)
class Values:
    """What a rule looks at, each (..., K, C): `causal` and `outline` are nan for kinds without such a test."""

    kappa: FloatArray
    sign: FloatArray
    causal: FloatArray
    outline: FloatArray


class Measurements(Protocol):
    """What a rule's values are made of."""

    @property
    def energies(self) -> Energies: ...

    @property
    def removal(self) -> Effect: ...

    @property
    def outline(self) -> Effect: ...


@dataclass(frozen=True)
class Judging:
    """What a rule judges: the `kinds` (C,), which of them are `eligible` (C,), and which features are `alive` (K,).

    `pixels` (C,) is how much each kind covers.
    """

    kinds: Sequence[Kind]
    eligible: BoolArray
    alive: BoolArray
    pixels: IntArray

    def check(self, values: Values, **more: tuple[FloatArray, str]) -> None:
        """Raises `InputError` where shapes do not match."""
        arrays = {name: (getattr(values, name), "... K C") for name in ("kappa", "sign", "causal", "outline")}
        of_kinds = {
            "eligible": (self.eligible, "C"),
            "kinds": (self.flags("headline"), "C"),
            "pixels": (self.pixels, "C"),
        }
        check_axes(**arrays, **more, **of_kinds, alive=(self.alive, "K"))

    def flags(self, flag: str) -> BoolArray:
        """Of the kinds (C,)."""
        return np.array([getattr(kind, flag) for kind in self.kinds], dtype=bool)

    @property
    def senses(self) -> IntArray:
        return np.array([kind.sense for kind in self.kinds])

    @property
    def allowed(self) -> BoolArray:
        """Which kinds may name which features (K, C)."""
        return self.eligible & self.flags("headline") & self.alive[:, None]


class Rule(Protocol):
    """A version's rule."""

    @property
    def cutoffs(self) -> Cutoffs: ...

    def values(self, measured: Measurements, kinds: Sequence[Kind], weights: Weights | None = None) -> Values:
        """From what was measured; `weights` (..., E) say how often each environment counts."""
        ...

    def interpretable(self, values: Values, kappa_lower: FloatArray, judging: Judging) -> tuple[BoolArray, IntArray]:
        """Whether each feature is (..., K), and the index of the kind that it is named after, -1 if it is not.

        `kappa_lower` (K, C) or (..., K, C) is the lower confidence limit of kappa.
        """
        ...

    def graded(self, values: Values, judging: Judging) -> FloatArray:
        """How far each feature (..., K) is, from 0 to 1. The score of an agent is the mean over all features."""
        ...


@dataclass(frozen=True)
class Version1:
    """A feature sits on a kind of thing, because of it, with the sense the game gives it, or a pure one if none.

    What cannot be removed has no causal test, and names a feature only if nothing else does: saws and enemies stand on
    surfaces. The grade is max_c sqrt(kappa T |sign|). The cut-offs were settled on planted networks of seeds 100 to 102
    (`docs/validation-1.md`).
    """

    cutoffs: Cutoffs = Cutoffs()

    def values(self, measured: Measurements, kinds: Sequence[Kind], weights: Weights | None = None) -> Values:
        energies, causal = measured.energies, measured.removal.causal(weights)
        return Values(energies.kappa(weights), energies.sign(weights), causal, np.full_like(causal, np.nan))

    def interpretable(self, values: Values, kappa_lower: FloatArray, judging: Judging) -> tuple[BoolArray, IntArray]:
        judging.check(values, kappa_lower=(kappa_lower, "... K C"))
        cutoffs, senses, removable = self.cutoffs, judging.senses, judging.flags("removable")
        right_sign = np.where(senses == 0, np.abs(values.sign), senses * values.sign) >= cutoffs.sign
        caused = (values.causal >= cutoffs.causal) | ~removable
        least = np.where(removable, cutoffs.kappa, cutoffs.fixed)
        passed = (values.kappa >= least) & (kappa_lower > 0) & right_sign & caused & judging.allowed
        tested = passed & removable
        return _highest(values.kappa, passed, np.where(tested.any(axis=-1, keepdims=True), tested, passed))

    def graded(self, values: Values, judging: Judging) -> FloatArray:
        judging.check(values)
        effect = np.where(judging.flags("removable"), np.clip(values.causal, 0, 1), 1.0)
        return _root_of_best(np.maximum(values.kappa, 0) * effect * np.abs(values.sign), judging)


@dataclass(frozen=True)
class Version2:
    """A feature sits on a kind of thing, because of it, and not with the wrong sign where the game gives it a sense.

    What is at the same place in every frame is compared with attribution spread evenly, all else with the feature's
    average map. Objects and the player are taken out, walls moved, displays show something else; of walls, more than
    the outline must count. The grade is max_c sqrt(kappa T), T being the least of a kind's causal tests, 0 where the
    sign is wrong. How the cut-offs were chosen: `docs/score.md`.

    Objects name a feature before anything else does: they stand on walls. Of several kinds with at least `NEAR` of the
    highest kappa the smallest does: enemies that walk to the left are enemies, too, and an end of a platform is on top.
    """

    cutoffs: Cutoffs = Cutoffs(kappa=0.125, fixed=0.35, causal=0.5, sign=0.0, outline=0.5)

    def values(self, measured: Measurements, kinds: Sequence[Kind], weights: Weights | None = None) -> Values:
        still, display, movable = (
            np.array([getattr(kind, flag) for kind in kinds]) for flag in ("still", "display", "movable")
        )
        energies, removal = measured.energies, measured.removal
        kappa = np.where(still, energies.kappa_uniform(weights), energies.kappa(weights))
        causal = np.where(display, removal.turnover.of(weights), removal.causal(weights))
        outline = np.where(movable, measured.outline.causal(weights), np.nan)
        return Values(kappa, energies.sign(weights), causal, outline)

    def interpretable(self, values: Values, kappa_lower: FloatArray, judging: Judging) -> tuple[BoolArray, IntArray]:
        judging.check(values, kappa_lower=(kappa_lower, "... K C"))
        cutoffs, senses, movable = self.cutoffs, judging.senses, judging.flags("movable")
        assert cutoffs.outline is not None
        right_sign = (senses == 0) | (senses * values.sign > cutoffs.sign)
        caused = (values.causal >= cutoffs.causal) & (~movable | (values.outline >= cutoffs.outline))
        objects = ~movable & ~judging.flags("still")
        least = np.where(objects, cutoffs.kappa, cutoffs.fixed)
        passed = (values.kappa >= least) & (kappa_lower > 0) & right_sign & caused & judging.allowed
        first = passed & objects
        candidates = np.where(first.any(axis=-1, keepdims=True), first, passed)
        highest = np.where(candidates, values.kappa, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
        near = candidates & (values.kappa >= NEAR * highest)
        return _highest(-judging.pixels.astype(np.float64), passed, near)

    def graded(self, values: Values, judging: Judging) -> FloatArray:
        judging.check(values)
        weakest = np.where(judging.flags("movable"), np.minimum(values.causal, values.outline), values.causal)
        right_sign = (judging.senses == 0) | (judging.senses * values.sign > self.cutoffs.sign)
        product = np.maximum(values.kappa, 0) * np.clip(weakest, 0, 1) * right_sign
        return _root_of_best(product, judging)


def _highest(worth: FloatArray, passed: BoolArray, candidates: BoolArray) -> tuple[BoolArray, IntArray]:
    """Whether any kind passed (..., K), and the candidate that is worth most (..., C)."""
    interpretable = passed.any(axis=-1)
    best = np.where(candidates, worth, -np.inf).argmax(axis=-1)
    return interpretable, np.where(interpretable, best, -1)


def _root_of_best(product: FloatArray, judging: Judging) -> FloatArray:
    """The root of the highest product (..., K, C) over the kinds allowed, missing ones being 0."""
    return np.asarray(np.sqrt(np.where(judging.allowed, np.nan_to_num(product), 0)).max(axis=-1, initial=0))


def for_draws(rule: Rule, draws: int) -> Rule:
    """The rule for features of which `draws` sets share one attribution: each has as much less of it."""
    assert isinstance(rule, Version1 | Version2)
    return replace(rule, cutoffs=replace(rule.cutoffs, dead=rule.cutoffs.dead / draws))


@dataclass(frozen=True)
class Version:
    """A version of the score: its rule, whether the kinds are the game's `concepts`, and how the NMF's rows are scaled.

    `root_rows`: each is divided by the square root of its sum; otherwise they are factorised as they are, as Hilton et
    al. (2020) did.
    """

    number: int
    rule: Rule
    concepts: bool
    root_rows: bool

    def game(self, game: Game) -> Game:
        """The game with this version's kinds; raises `InputError` where it has none."""
        return game.with_concepts() if self.concepts else game


VERSIONS = {
    1: Version(1, Version1(), concepts=False, root_rows=True),
    2: Version(2, Version2(), concepts=True, root_rows=False),
}
"""Scores of different versions are never compared."""


def version_numbered(number: int) -> Version:
    """Raises `InputError` for a version that there is not."""
    if number not in VERSIONS:
        raise InputError(f"version is '{number}'; it can be {', '.join(map(str, VERSIONS))}.")
    return VERSIONS[number]
