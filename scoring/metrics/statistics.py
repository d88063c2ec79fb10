"""Uncertainty of the scores: bootstrap over environments, held-out choice of a class, permutation tests, error rates.

Frames of one environment depend on one another, so environments are what is resampled, split and permuted. K features,
C classes and E environments, as in `scoring.metrics.energies`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from rollouts.errors import InputError
from scoring.metrics.arrays import BoolArray, FloatArray, IntArray, check_axes, ratio
from scoring.metrics.energies import DRAWS, Energies


@dataclass(frozen=True)
class Number:
    """A number with its 95 % interval; each is None where there is none."""

    value: float | None = None
    interval: tuple[float, float] | None = None

    @property
    def low(self) -> float | None:
        return None if self.interval is None else self.interval[0]

    @property
    def high(self) -> float | None:
        return None if self.interval is None else self.interval[1]


NO_NUMBER = Number()


def number(value: float, draws: FloatArray) -> Number:
    """A number with its 95 % interval from bootstrap draws."""
    low, high = interval(draws)
    return Number(float(value), (float(low), float(high)))


def mean_number(numbers: Sequence[Number], draws: Sequence[FloatArray | None]) -> Number:
    """The mean of numbers that were taken on the same bootstrap draws, with its interval; no number if one is none."""
    present = [own for own in draws if own is not None]
    values = [own.value for own in numbers if own.value is not None]
    if len(present) < len(draws) or len(values) < len(numbers):
        return NO_NUMBER
    return number(float(np.mean(values)), np.mean(present, axis=0))


def bootstrap_multiplicities(environments: int, draws: int, seed: int) -> IntArray:
    """How often each environment is in each bootstrap sample (draws, E) (Efron 1979); every row sums to E.

    Raises `InputError` below two environments, which have no spread, or one draw.
    """
    _require_environments(environments)
    if draws < 1:
        raise InputError(f"The bootstrap has {draws} draws; it needs at least 1.")
    return np.random.default_rng(seed).multinomial(environments, np.full(environments, 1 / environments), size=draws)


def interval(samples: FloatArray, level: float = 0.95) -> FloatArray:
    """Lower and upper percentile limits (2, ...) of bootstrap `samples` (draws, ...); nan samples are left out."""
    tail = (1 - level) / 2
    known = ~np.isnan(samples).all(axis=0)
    limits = np.full((2, *known.shape), np.nan)
    limits[:, known] = np.nanquantile(samples[:, known], [tail, 1 - tail], axis=0)
    return limits


def jackknife_interval(value: float, left_out: FloatArray, level: float = 0.95) -> tuple[float, float]:
    """Normal limits around `value` from its values with each environment left out (E,) (Tukey 1958).

    For numbers that a bootstrap pulls down, because its samples hold fewer different environments.
    """
    count = len(left_out)
    deviation = float(np.sqrt((count - 1) * np.var(left_out)))
    z = NormalDist().inv_cdf((1 + level) / 2)
    return value - z * deviation, value + z * deviation


def halves(environments: int, seed: int, splits: int = 20) -> FloatArray:
    """Weights (2, splits, E), 1 or 0: random halves of the environments, and the other halves.

    Raises `InputError` below four environments: chance needs two in each half.
    """
    _require_environments(environments, 4)
    ranks = np.random.default_rng(seed).permuted(np.tile(np.arange(environments), (splits, 1)), axis=1)
    half = ranks < environments // 2
    return np.stack([half, ~half]).astype(np.float64)


def split_half_reliability(values: FloatArray) -> float | None:
    """Reliability of K numbers measured on two halves (2, splits, K), mean over the splits.

    The correlation r over the K numbers, stepped up to the whole length: 2 r / (1 + r) (Spearman 1910, Brown 1910).
    None for fewer than three numbers, or where they do not vary.
    """
    first, second = values - values.mean(axis=-1, keepdims=True)
    spread = np.sqrt((first**2).sum(axis=-1) * (second**2).sum(axis=-1))
    if values.shape[-1] < 3 or not spread.all():
        return None
    r = float(np.mean((first * second).sum(axis=-1) / spread))
    return 2 * r / (1 + r)


def best_class_lift(
    energies: Energies,
    eligible: BoolArray,
    alive: BoolArray,
    seed: int,
    splits: int = 20,
    measure: Callable[[Energies, FloatArray], FloatArray] = Energies.lift,
    weights: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Lift of each feature's best class (..., K), chosen on one half of the environments and evaluated on the other.

    The mean over `splits` random halvings, both ways, without those in which the feature has no attribution; and the
    mean of that over the living features (...). `measure` can also be `Energies.localisation`; `eligible` (C,), `alive`
    (K,); `weights` (..., E) says how often each environment counts, once by default. Raises `InputError` below four
    environments: chance needs two in each half.
    """
    check_axes(signed=(energies.signed, "K C E"), eligible=(eligible, "C"), alive=(alive, "K"))
    if eligible.any():
        energies, eligible = energies.of_classes(eligible), eligible[eligible]
    count = energies.environments
    half = halves(count, seed, splits)
    if weights is not None:
        half = half.reshape(2, splits, *(1,) * (weights.ndim - 1), count) * weights
    different, place = np.unique(half.reshape(-1, count), axis=0, return_inverse=True)
    measured = measure(energies, different)[place.reshape(-1)]  # a half is the same for all that it leaves out
    chosen_on = measured.reshape(*half.shape[:-1], *measured.shape[1:])
    evaluated_on = chosen_on[::-1]
    candidates = np.where(eligible & ~np.isnan(chosen_on), chosen_on, -np.inf)
    best = candidates.argmax(axis=-1)[..., None]
    held_out = np.take_along_axis(evaluated_on, best, axis=-1)[..., 0]
    held_out[np.isneginf(candidates.max(axis=-1))] = np.nan
    lifts = _mean(held_out.reshape(-1, *held_out.shape[2:]))
    return lifts, _mean(np.moveaxis(lifts[..., alive], -1, 0))


def permutation_p_values(energies: Energies, draws: int = 9999, seed: int = 0) -> FloatArray:
    """One-sided p (K, C) of the energy when the masks of whole environments are permuted at equal sampling time.

    (1 + number of permutations with at least the observed energy) / (draws + 1) (Phipson and Smyth 2010). Raises
    `InputError` below two environments.
    """
    environments = energies.environments
    _require_environments(environments)
    if energies.aligned is None:
        raise InputError("Permutations need the energies of maps on the masks of other environments.")
    permutations = np.random.default_rng(seed).permuted(np.tile(np.arange(environments), (draws, 1)), axis=1)
    pairs = np.ascontiguousarray(np.moveaxis(energies.aligned, (2, 3), (0, 1)))
    everyone = np.arange(environments)
    least = pairs[everyone, everyone].sum(axis=0) * (1 - 1e-12)  # equal sums differ by rounding in another order
    tied_or_above = np.zeros(least.shape, dtype=np.int64)
    for block in np.array_split(permutations, max(draws // DRAWS, 1)):
        permuted = sum(pairs[e, block[:, e]] for e in range(environments))
        tied_or_above += (permuted >= least).sum(axis=0)
    return np.asarray((1 + tied_or_above) / (draws + 1))


def benjamini_hochberg(p: FloatArray, level: float = 0.05) -> BoolArray:
    """Which hypotheses (same shape) to reject at false discovery rate `level` (Benjamini and Hochberg 1995).

    nan marks what was not tested: it is not rejected, and not counted.
    """
    tested = np.sort(p[~np.isnan(p)])
    passing = tested[tested * (tested.size / np.arange(1, tested.size + 1)) <= level]
    return np.less_equal(p, passing.max(initial=-np.inf))


def _require_environments(environments: int, least: int = 2) -> None:
    if environments < least:
        raise InputError(f"The bank has {environments} environments; resampling them needs at least {least}.")


def _mean(samples: FloatArray) -> FloatArray:
    """Mean over the first axis of what is not nan; nan if nothing is left."""
    return ratio(np.nansum(samples, axis=0), np.asarray((~np.isnan(samples)).sum(axis=0), dtype=np.float64))
