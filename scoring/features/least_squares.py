"""Non-negative least squares of many rows on the same few directions."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Rows = NDArray[np.float32]
FloatArray = NDArray[np.float64]

FULL_EXCHANGES, MAX_EXCHANGES = 3, 50


class NonnegativeLeastSquares:
    """Weights W >= 0 (n, K) that minimise |rows - W directions| for each row (n, C); directions (K, C).

    Block principal pivoting (Kim and Park 2011, algorithm 2) on many rows at once: exact up to rounding, where a
    factorisation with fixed directions only comes near. Rows with the same weights above zero share one inverse, and
    the inverses are kept from call to call.
    """

    def __init__(self, directions: Rows) -> None:
        self.directions = directions.astype(np.float64)
        self.gram = self.directions @ self.directions.T
        self._bits = 1 << np.arange(len(directions))
        self._inverses: dict[int, FloatArray] = {}

    def __call__(self, rows: Rows) -> Rows:
        count = len(self.directions)
        targets = rows.astype(np.float64) @ self.directions.T
        slack = 1e-9 * max(float(np.abs(targets).max(initial=0)), 1e-300)
        weights = np.zeros_like(targets)
        index, passive = np.arange(len(rows)), targets > slack
        fewest, patience = np.full(len(rows), count + 1), np.full(len(rows), FULL_EXCHANGES)
        for _ in range(MAX_EXCHANGES):
            order = np.argsort(passive @ self._bits, kind="stable")
            index, passive, fewest, patience = index[order], passive[order], fewest[order], patience[order]
            target = targets[index]
            solved = self._unconstrained(target, passive)
            wrong = np.where(passive, solved, solved @ self.gram - target) < -slack
            number = wrong.sum(axis=1)
            weights[index[number == 0]] = solved[number == 0]
            left = number > 0
            index, passive, fewest, patience = index[left], passive[left], fewest[left], patience[left]
            if not len(index):
                break
            wrong, number = wrong[left], number[left]
            better = number < fewest
            fewest, patience = np.where(better, number, fewest), np.where(better, FULL_EXCHANGES, patience - 1)
            last_only = ~better & (patience < 0)  # the backup rule, which always ends
            largest = count - 1 - wrong[:, ::-1].argmax(axis=1)
            wrong[last_only] = np.arange(count) == largest[last_only, None]
            passive ^= wrong
        for row in index:  # rounding makes the exchanges of a few rows go in circles
            weights[row] = nnls(self.directions.T, rows[row].astype(np.float64))[0]
        return np.maximum(weights, 0).astype(np.float32)

    def _unconstrained(self, target: FloatArray, passive: NDArray[np.bool_]) -> FloatArray:
        """Least squares on each row's `passive` directions alone; equal rows of `passive` (n, K) follow one another."""
        solved = np.empty_like(target)
        patterns = passive @ self._bits
        starts = np.flatnonzero(np.diff(patterns, prepend=-1))
        for start, end in zip(starts, np.append(starts[1:], len(patterns)), strict=True):
            solved[start:end] = target[start:end] @ self._inverse(int(patterns[start]), passive[start])
        return solved

    def _inverse(self, pattern: int, held: NDArray[np.bool_]) -> FloatArray:
        """The inverse (K, K) of the products of the `held` directions (K,), with zeros in the place of the others."""
        if pattern not in self._inverses:
            self._inverses[pattern] = np.linalg.pinv(self.gram * np.outer(held, held), hermitian=True)
        return self._inverses[pattern]
