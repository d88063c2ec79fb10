"""Features: linear maps of a layer's channels, fixed on one set of frames and applied to any other."""

import warnings
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import ortho_group
from sklearn.decomposition import non_negative_factorization
from sklearn.exceptions import ConvergenceWarning

from rollouts.errors import InputError
from scoring.attribution import Attribution, Maps

MAX_ROWS = 125_000
"""Cells that a factorisation is fitted on at most."""
FULL_EXCHANGES, MAX_EXCHANGES = 3, 50


class FeatureSet(Protocol):
    """A basis of K features for attributions to C channels; `directions` is (K, C)."""

    @property
    def directions(self) -> Maps: ...

    def transform(self, attribution: Attribution) -> Maps:
        """Signed maps (N, K, H, W) of an attribution to channels, in the units of the attribution."""
        ...


@dataclass(frozen=True)
class Channels:
    """Each channel is a feature."""

    count: int

    @property
    def directions(self) -> Maps:
        return np.eye(self.count, dtype=np.float32)

    def transform(self, attribution: Attribution) -> Maps:
        return attribution.maps


@dataclass(frozen=True)
class Rotated:
    """The control: features along the rows of orthogonal matrices U (C, C), one below the other.

    Attribution along them is (U h) * (U grad), which sums to what h * grad sums to; U = 1 gives the channels.
    """

    directions: Maps

    def transform(self, attribution: Attribution) -> Maps:
        gradients = _along(attribution.gradients, self.directions)
        if attribution.method == "gradient":
            return gradients
        return _along(attribution.activations, self.directions) * gradients


def rotated(channels: int, draws: int, seed: int) -> Rotated:
    """Features along the axes of `draws` Haar-random rotations."""
    generator = np.random.default_rng(seed)
    draw = [ortho_group.rvs(channels, random_state=generator) for _ in range(draws)]
    return Rotated(np.concatenate(draw).astype(np.float32))


def _along(maps: Maps, directions: Maps) -> Maps:
    return np.einsum("kc,nchw->nkhw", directions, maps, optimize=True)


@dataclass(frozen=True)
class NMF:
    """Non-negative directions (K, C), each summing to 1 (Hilton et al. 2020, appendix B).

    `converged` is whether fitting them ended before the most iterations allowed.
    """

    directions: Maps
    converged: bool

    def transform(self, attribution: Attribution) -> Maps:
        """transform(positive part) - transform(negative part), times the sum of each direction's entries (1)."""
        maps = attribution.maps
        rows = np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])
        signed = self._weights(np.maximum(rows, 0)) - self._weights(np.maximum(-rows, 0))
        return np.ascontiguousarray(np.moveaxis(signed.reshape(len(maps), *maps.shape[2:], signed.shape[1]), -1, 1))

    def _weights(self, rows: Maps) -> Maps:
        """Non-negative least squares of rows (n, C) on the directions (n, K); each row scaled to sum to 1 meanwhile."""
        total = rows.sum(axis=1, keepdims=True)
        alive = total[:, 0] > 0
        result = np.zeros((len(rows), len(self.directions)), dtype=np.float32)
        if alive.any():
            result[alive] = nonnegative_least_squares(rows[alive] / total[alive], self.directions) * total[alive]
        return result

    def residual(self, attribution: Attribution) -> Maps:
        """What the features leave over (N, H, W), so that features and residual sum to the channels' sum."""
        return np.asarray(attribution.maps.sum(axis=1) - self.transform(attribution).sum(axis=1))


def nonnegative_least_squares(rows: Maps, directions: Maps) -> Maps:
    """Weights W >= 0 (n, K) that minimise |rows - W directions| for each row (n, C); directions (K, C).

    Block principal pivoting (Kim and Park 2011, algorithm 2) on all rows at once: exact up to rounding, where a
    factorisation with fixed directions only comes near.
    """
    count = len(directions)
    h = directions.astype(np.float64)
    gram, target = h @ h.T, rows.astype(np.float64) @ h.T
    bits = 1 << np.arange(count)
    passive = np.zeros((len(rows), count), dtype=bool)
    weights, dual = np.zeros_like(target), -target
    fewest = np.full(len(rows), count + 1)
    patience = np.full(len(rows), FULL_EXCHANGES)
    slack = 1e-9 * max(float(np.abs(target).max(initial=0)), 1e-300)
    for _ in range(MAX_EXCHANGES):
        wrong = np.where(passive, weights < -slack, dual < -slack)
        open_rows = np.flatnonzero(wrong.any(axis=1))
        if not len(open_rows):
            return np.maximum(weights, 0).astype(np.float32)
        wrong = wrong[open_rows]
        number = wrong.sum(axis=1)
        better = number < fewest[open_rows]
        fewest[open_rows] = np.where(better, number, fewest[open_rows])
        patience[open_rows] = np.where(better, FULL_EXCHANGES, patience[open_rows] - 1)
        last_only = ~better & (patience[open_rows] < 0)  # the backup rule, which always ends
        largest = count - 1 - wrong[:, ::-1].argmax(axis=1)
        wrong[last_only] = np.arange(count) == largest[last_only, None]
        passive[open_rows] ^= wrong
        patterns = passive[open_rows] @ bits
        for pattern in np.unique(patterns):
            chosen = open_rows[patterns == pattern]
            held = (pattern & bits) > 0
            solved = target[np.ix_(chosen, held)] @ np.linalg.pinv(gram[np.ix_(held, held)], hermitian=True)
            weights[chosen] = 0
            weights[np.ix_(chosen, held)] = solved
            dual[chosen] = solved @ gram[held] - target[chosen]
            dual[np.ix_(chosen, held)] = 0
    for row in np.flatnonzero(np.where(passive, weights < -slack, dual < -slack).any(axis=1)):
        weights[row] = nnls(h.T, rows[row].astype(np.float64))[0]  # rounding makes the exchanges of a few go in circles
    return np.maximum(weights, 0).astype(np.float32)


def fit_nmf(maps: Maps, components: int, seed: int, max_rows: int = MAX_ROWS) -> NMF:
    """Fit directions to attributions (N, C, H, W): positive and negated negative parts, stacked.

    Cells are rows, divided by the square root of their sum so that no few frames decide; zero rows are left out, and at
    most `max_rows` drawn with `seed`. Raises `InputError` when fewer channels than components carry attribution.
    """
    rows = np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])
    rows = np.concatenate([np.maximum(rows, 0), np.maximum(-rows, 0)])
    total = rows.sum(axis=1)
    chosen = np.flatnonzero(total > 0)
    if len(chosen) > max_rows:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, max_rows, replace=False))
    alive = int((rows[chosen] > 0).any(axis=0).sum()) if len(chosen) else 0
    if alive < components or len(chosen) < components:
        raise InputError(f"{components} features were asked for, but only {alive} channels carry any attribution.")
    scaled = rows[chosen] / np.sqrt(total[chosen, None])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        _, directions, _ = non_negative_factorization(
            scaled, n_components=components, init="nndsvd", tol=1e-5, max_iter=500, random_state=seed
        )
    norms = directions.sum(axis=1, keepdims=True)
    directions = np.divide(directions, norms, out=np.full_like(directions, 1 / directions.shape[1]), where=norms > 0)
    converged = not any(issubclass(w.category, ConvergenceWarning) for w in caught)
    return NMF(directions.astype(np.float32), converged)


def resampled(environment: NDArray[np.int32], seed: int) -> NDArray[np.int64]:
    """Frames of environments drawn with replacement: indices of frames, for a refit."""
    labels = np.unique(environment)
    drawn = np.random.default_rng(seed).choice(labels, len(labels))
    return np.concatenate([np.flatnonzero(environment == label) for label in drawn])
