"""Directions of a non-negative matrix factorisation of attributions (Hilton et al. 2020, appendix B)."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import non_negative_factorization

from rollouts.errors import InputError
from scoring.explain.base import Attribution, Maps
from scoring.features.least_squares import NonnegativeLeastSquares
from scoring.threads import divide

MAX_ROWS = 125_000
"""Cells that a factorisation is fitted on at most."""
MAX_ITERATIONS = 500
ROWS = 32_768
"""Cells that features are made of at once: few enough for the cache."""


@dataclass(frozen=True)
class NMF:
    """Non-negative directions (K, C), each summing to 1 (Hilton et al. 2020, appendix B).

    `converged` is whether fitting them ended before the most iterations allowed.
    """

    directions: Maps
    converged: bool

    @cached_property
    def _least_squares(self) -> NonnegativeLeastSquares:
        return NonnegativeLeastSquares(self.directions)

    def transform(self, attribution: Attribution) -> Maps:
        """transform(positive part) - transform(negative part), times the sum of each direction's entries (1)."""
        maps = attribution.maps
        signed = np.empty((len(maps), len(self.directions), *maps.shape[2:]), dtype=np.float32)
        frames = max(ROWS // (maps.shape[2] * maps.shape[3]), 1)

        def solve(start: int) -> None:
            block = np.moveaxis(maps[start : start + frames], 1, -1)
            rows = block.reshape(-1, maps.shape[1])
            weights = self._weights(np.maximum(rows, 0)) - self._weights(np.maximum(-rows, 0))
            signed[start : start + frames] = np.moveaxis(weights.reshape(*block.shape[:3], -1), -1, 1)

        divide(solve, range(0, len(maps), frames))
        return signed

    def _weights(self, rows: Maps) -> Maps:
        """Non-negative least squares of rows (n, C) on the directions (n, K); each row scaled to sum to 1 meanwhile."""
        total = rows.sum(axis=1, keepdims=True)
        alive = total[:, 0] > 0
        result = np.zeros((len(rows), len(self.directions)), dtype=np.float32)
        if alive.any():
            result[alive] = self._least_squares(rows[alive] / total[alive]) * total[alive]
        return result


def fit_nmf(maps: Maps, components: int, seed: int, root_rows: bool = False, max_rows: int = MAX_ROWS) -> NMF:
    """Fit directions to attributions (N, C, H, W): positive and negated negative parts, stacked.

    Cells are rows, with `root_rows` divided by the square root of their sum so that no few frames decide, otherwise as
    they are; zero rows are left out, and at most `max_rows` drawn with `seed`. Raises `InputError` when fewer channels
    than components carry attribution; where none does, all features are dead, and one direction is as good as another.
    """
    parts = maps.reshape(*maps.shape[:2], -1)
    totals = [np.maximum(signed, 0).sum(axis=1).ravel() for signed in (parts, -parts)]
    chosen = np.flatnonzero(np.concatenate(totals) > 0)
    if not len(chosen):
        return NMF(np.full((components, maps.shape[1]), 1 / maps.shape[1], dtype=np.float32), True)
    if len(chosen) > max_rows:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, max_rows, replace=False))
    negative, place = np.divmod(chosen, len(totals[0]))
    frame, cell = np.divmod(place, parts.shape[2])
    rows = np.maximum(parts[frame, :, cell] * np.where(negative, -1, 1).astype(np.float32)[:, None], 0)
    alive = int((rows > 0).any(axis=0).sum())
    if alive < components or len(rows) < components:
        raise InputError(f"{components} features were asked for, but only {alive} channels carry any attribution.")
    _, directions, iterations = non_negative_factorization(
        rows / np.sqrt(rows.sum(axis=1, keepdims=True)) if root_rows else rows / rows.mean(),
        n_components=components,
        init="nndsvd",
        tol=1e-5,
        max_iter=MAX_ITERATIONS,
        random_state=seed,
    )
    norms = directions.sum(axis=1, keepdims=True)
    directions = np.divide(directions, norms, out=np.full_like(directions, 1 / directions.shape[1]), where=norms > 0)
    return NMF(directions.astype(np.float32), iterations < MAX_ITERATIONS)


def resampled(environment: NDArray[np.int32], seed: int) -> NDArray[np.int64]:
    """Frames of environments drawn with replacement: indices of frames, for a refit."""
    labels = np.unique(environment)
    drawn = np.random.default_rng(seed).choice(labels, len(labels))
    return np.concatenate([np.flatnonzero(environment == label) for label in drawn])
