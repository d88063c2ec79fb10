"""How many components a factorisation should have: bi-cross-validation (Owen and Perry 2009, of the NMF).

What is held out are rows and columns of a matrix at once; here rows are cells, held out with all of their environment,
and columns are channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from sklearn.decomposition import non_negative_factorization

from rollouts.errors import InputError
from scoring.explain.base import Maps
from scoring.features.least_squares import NonnegativeLeastSquares
from scoring.metrics.arrays import Labels, check_axes
from scoring.threads import divide

CANDIDATES = (2, 4, 6, 8, 10, 12, 16)
MAX_ROWS = 10_000
"""Cells of each half of the environments at most."""
MAX_ITERATIONS = 200


@dataclass(frozen=True)
class Components:
    """The number of components that was `chosen`; each candidate's relative squared error, the mean over folds.

    `stopped` is how many of a candidate's folds ended at the most iterations allowed; records of before do not say.
    """

    candidates: tuple[int, ...]
    errors: tuple[float, ...]
    chosen: int
    stopped: tuple[int, ...] = ()


def choose_components(
    maps: Maps, environment: Labels, seed: int, candidates: Sequence[int] = CANDIDATES, max_rows: int = MAX_ROWS
) -> Components:
    """The least number of components with which what was held out is reconstructed nearly as well as with any.

    `maps` (N, C, H, W), `environment` (N,). Rows are those of `fit_nmf`, but not divided by anything, so that what is
    reconstructed is attribution. Environments and channels are halved at random, and each pair of halves is held out
    once. The error of such a fold is the squared error over the sum of squares; a candidate within one standard error
    over folds of the lowest mean is nearly as good (Breiman et al. 1984). Channels without attribution in one of the
    halves of environments are left out, and candidates are those below half of the others.

    Raises `InputError` for fewer than two environments, for too few channels, and for a half of the environments with
    fewer rows than components.
    """
    check_axes(maps=(maps, "N C H W"), environment=(environment, "N"))
    labels = np.unique(environment)
    if len(labels) < 2:
        raise InputError(
            "Components are fitted on one half of the environments and tried on the other; there is only one."
        )
    generator = np.random.default_rng(seed)
    rows = [
        signed_rows(maps[np.isin(environment, half)], max_rows, generator)
        for half in np.array_split(generator.permutation(labels), 2)
    ]
    alive = np.flatnonzero(rows[0].any(axis=0) & rows[1].any(axis=0))
    tried = tuple(k for k in sorted(candidates) if 2 * k < len(alive))
    if not tried:
        raise InputError(
            f"Only {len(alive)} channels carry any attribution; {min(candidates)} components are tried on more than "
            f"{2 * min(candidates)}."
        )
    if min(map(len, rows)) < tried[-1]:
        raise InputError(
            f"{tried[-1]} components are fitted on as many cells at least; one half of the environments has "
            f"{min(map(len, rows))} with any attribution."
        )
    channels = np.array_split(generator.permutation(alive), 2)

    def error(fold: tuple[int, int, int]) -> tuple[float, bool]:
        components, half, part = fold
        return _error(rows[half], rows[1 - half], channels[part], channels[1 - part], components, seed)

    folds = np.array(divide(error, product(tried, (0, 1), (0, 1)))).reshape(len(tried), -1, 2)
    errors, stopped = folds[..., 0], folds[..., 1].sum(axis=1).astype(int)
    mean = errors.mean(axis=1)
    best = int(mean.argmin())
    tolerance = errors[best].std(ddof=1) / np.sqrt(errors.shape[1])
    chosen = tried[int(np.argmax(mean <= mean[best] + tolerance))]
    return Components(tried, tuple(mean.tolist()), chosen, tuple(stopped.tolist()))


def signed_rows(maps: Maps, most: int, generator: np.random.Generator) -> Maps:
    """Positive parts of the cells of maps (N, C, H, W), then negated negative ones, without zero rows; `most` drawn."""
    cells = np.moveaxis(maps, 1, -1).reshape(-1, maps.shape[1])
    chosen = np.flatnonzero(np.concatenate([(cells > 0).any(axis=1), (cells < 0).any(axis=1)]))
    if len(chosen) > most:
        chosen = np.sort(generator.choice(chosen, most, replace=False))
    negative, cell = np.divmod(chosen, len(cells))
    return np.maximum(np.where(negative[:, None], -cells[cell], cells[cell]), 0)


def _error(
    fitted: Maps, held_out: Maps, known: Labels, hidden: Labels, components: int, seed: int
) -> tuple[float, bool]:
    """Relative squared error in `hidden` channels of rows that were `held_out`: A against B H+ W+ C of Owen and Perry.

    And whether the factorisation stopped at the most iterations.

    Their D, `known` channels of the rows that are `fitted`, is factorised as W H. Least squares, non-negative, give the
    hidden channels of its directions (C on W) and the weights of the rows held out (B on H).
    """
    weights, directions, iterations = non_negative_factorization(
        fitted[:, known], n_components=components, init="nndsvd", tol=1e-4, max_iter=MAX_ITERATIONS, random_state=seed
    )
    continued = NonnegativeLeastSquares(weights.T)(fitted[:, hidden].T).T
    left = held_out[:, hidden] - NonnegativeLeastSquares(directions)(held_out[:, known]) @ continued
    error = np.sum(left**2, dtype=np.float64) / np.sum(held_out[:, hidden] ** 2, dtype=np.float64)
    return float(error), iterations >= MAX_ITERATIONS
