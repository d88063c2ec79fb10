"""The rule: which features are interpretable, and how far (`docs/score.md`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rollouts.game import Kind
from scoring.metrics.arrays import BoolArray, FloatArray, IntArray, check_axes
from scoring.metrics.energies import causal_effect
from scoring.metrics.statistics import NO_NUMBER, Number, bootstrap_multiplicities, interval, number
from scoring.subject import Measured, Subject


@dataclass(frozen=True)
class Cutoffs:
    """What a feature must reach to count as interpretable; below `dead`, its share of all attribution, it is dead.

    `fixed` takes the place of `kappa` for kinds that cannot be removed, which the causal test does not protect. Settled
    on planted networks of seeds 100 to 102 (`docs/validation.md`).
    """

    kappa: float = 0.125
    fixed: float = 0.2
    causal: float = 0.5
    sign: float = 0.5
    dead: float = 0.001


def interpretable(
    kappa: FloatArray,
    kappa_lower: FloatArray,
    sign: FloatArray,
    causal: FloatArray,
    eligible: BoolArray,
    alive: BoolArray,
    kinds: Sequence[Kind],
    cutoffs: Cutoffs,
) -> tuple[BoolArray, IntArray]:
    """Whether each feature sits on a kind of thing, because of it, with the sense the game gives it; and on which one.

    `kappa`, its lower confidence limit, `sign` and `causal` (..., K, C); `eligible` and the `kinds` (C,); `alive` (K,).
    Returns whether each feature is (..., K) and the index of its kind (..., K), -1 if none passes. If several pass it
    is the one of the highest kappa among those that can be removed, and have passed the causal test, and one that
    cannot only if no other does: saws and enemies stand on surfaces.
    """
    _check(kappa, sign, causal, eligible, alive, kinds)
    senses, removable = np.array([kind.sense for kind in kinds]), _flags(kinds, "removable")
    right_sign = np.where(senses == 0, np.abs(sign), senses * sign) >= cutoffs.sign
    caused = (causal >= cutoffs.causal) | ~removable
    least = np.where(removable, cutoffs.kappa, cutoffs.fixed)
    passed = (kappa >= least) & (kappa_lower > 0) & right_sign & caused
    passed = passed & eligible & _flags(kinds, "headline") & alive[:, None]
    tested = passed & removable
    candidates = np.where(tested.any(axis=-1, keepdims=True), tested, passed)
    best = np.where(candidates, kappa, -np.inf).argmax(axis=-1)
    interpretable = passed.any(axis=-1)
    return interpretable, np.where(interpretable, best, -1)


def distinct_classes(which: IntArray) -> IntArray:
    """Number (...) of different classes among the features' classes `which` (..., K), -1 being none."""
    return np.asarray((which[..., None] == np.arange(which.max(initial=-1) + 1)).any(axis=-2).sum(axis=-1))


def graded(
    kappa: FloatArray,
    sign: FloatArray,
    causal: FloatArray,
    eligible: BoolArray,
    alive: BoolArray,
    kinds: Sequence[Kind],
) -> FloatArray:
    """max_c sqrt(kappa T |sign|) of each feature (..., K), negative factors and missing ones as 0, T at most 1.

    Arguments as for `interpretable`. The score of an agent is the mean over all features, the dead ones being 0.
    """
    _check(kappa, sign, causal, eligible, alive, kinds)
    effect = np.where(_flags(kinds, "removable"), np.clip(causal, 0, 1), 1.0)
    product = np.nan_to_num(np.maximum(kappa, 0) * effect * np.abs(sign))
    allowed = eligible & _flags(kinds, "headline") & alive[:, None]
    return np.asarray(np.sqrt(np.where(allowed, product, 0)).max(axis=-1, initial=0))


def _flags(kinds: Sequence[Kind], flag: str) -> BoolArray:
    return np.array([getattr(kind, flag) for kind in kinds], dtype=bool)


def _check(
    kappa: FloatArray,
    sign: FloatArray,
    causal: FloatArray,
    eligible: BoolArray,
    alive: BoolArray,
    kinds: Sequence[Kind],
) -> None:
    check_axes(
        kappa=(kappa, "... K C"),
        sign=(sign, "... K C"),
        causal=(causal, "... K C"),
        eligible=(eligible, "C"),
        alive=(alive, "K"),
        kinds=(_flags(kinds, "headline"), "C"),
    )


@dataclass(frozen=True)
class Verdict:
    """The rule applied to K features and C kinds, and over bootstrap draws of environments.

    `kappa`, `sign` and `causal` (K, C), `kappa_interval` (2, K, C). Of each feature (K,): whether it is `alive` and
    `interpretable`, the index of its `kind` (-1 for none), and its `grades`. `fraction` and `graded` are the two
    numbers of the headline, `fraction_draws` and `graded_draws` (draws,) the same in each draw, None without draws.
    """

    kappa: FloatArray
    kappa_interval: FloatArray
    sign: FloatArray
    causal: FloatArray
    alive: BoolArray
    interpretable: BoolArray
    kind: IntArray
    grades: FloatArray
    fraction: Number = NO_NUMBER
    graded: Number = NO_NUMBER
    fraction_draws: FloatArray | None = None
    graded_draws: FloatArray | None = None


def judge(measured: Measured, subject: Subject, cutoffs: Cutoffs, draws: int, seed: int) -> Verdict:
    """Which features are interpretable; no number for the agent where environments or eligible kinds are too few.

    Within a bootstrap draw the lower limit of kappa is the whole bank's. With the same seed, draw i has the same
    environments for every agent and basis on a bank, so that differences between them can be taken draw by draw.
    """
    energies = measured.energies
    kappa, sign = energies.kappa(), energies.sign()
    causal = causal_effect(measured.original, measured.removed)
    alive = energies.share() >= cutoffs.dead
    judged = (subject.eligible, alive, subject.game.kinds)
    weights = bootstrap_multiplicities(subject.environments, draws, seed) if subject.resamples else None
    kappa_draws = energies.kappa(weights) if weights is not None else None
    kappa_interval = interval(kappa_draws) if kappa_draws is not None else np.full((2, *kappa.shape), np.nan)
    is_so, kind = interpretable(kappa, kappa_interval[0], sign, causal, *judged, cutoffs)
    grades = graded(kappa, sign, causal, *judged)
    verdict = (kappa, kappa_interval, sign, causal, alive, is_so, kind, grades)
    if weights is None or kappa_draws is None or not subject.headline.any():
        return Verdict(*verdict)
    sign_draws = energies.sign(weights)
    causal_draws = causal_effect(measured.original, measured.removed, weights)
    is_so_draws, _ = interpretable(kappa_draws, kappa_interval[0], sign_draws, causal_draws, *judged, cutoffs)
    fraction_draws = is_so_draws.mean(axis=-1)
    graded_draws = graded(kappa_draws, sign_draws, causal_draws, *judged).mean(axis=-1)
    return Verdict(
        *verdict,
        number(is_so.mean(), fraction_draws),
        number(grades.mean(), graded_draws),
        fraction_draws,
        graded_draws,
    )


def removable_grade(verdict: Verdict, eligible: BoolArray, kinds: Sequence[Kind]) -> float:
    """The graded score of one set of features by the kinds alone that can be taken out of a frame."""
    tested = eligible & _flags(kinds, "removable")
    return float(graded(verdict.kappa, verdict.sign, verdict.causal, tested, verdict.alive, kinds).mean())
