"""Likeness of maps: ranks and windows counted by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rollouts.errors import InputError
from scoring.metrics.likeness import likeness

Array = NDArray[np.float64]


def spearman(a: Array, b: Array) -> float:
    """Pearson's correlation of ranks, where equal values share the mean of theirs."""

    def ranks(values: Array) -> Array:
        below = (values[:, None] > values[None]).sum(axis=1)
        return below + ((values[:, None] == values[None]).sum(axis=1) + 1) / 2

    return float(np.corrcoef(ranks(a.ravel()), ranks(b.ravel()))[0, 1])


def structural_similarity(x: Array, y: Array, side: int = 7) -> float:
    """Equation 13 of Wang et al. (2004) in every window inside the frame, with k1 = 0.01 and k2 = 0.03."""
    largest = max(x.max(), y.max())
    c1, c2 = (0.01 * largest) ** 2, (0.03 * largest) ** 2
    values = []
    for i in range(x.shape[0] - side + 1):
        for j in range(x.shape[1] - side + 1):
            a, b = x[i : i + side, j : j + side].ravel(), y[i : i + side, j : j + side].ravel()
            covariance = np.cov(a, b)
            means, contrast = a.mean() * b.mean(), covariance[0, 1]
            values.append(
                (2 * means + c1)
                * (2 * contrast + c2)
                / ((a.mean() ** 2 + b.mean() ** 2 + c1) * (np.trace(covariance) + c2))
            )
    return float(np.mean(values))


def test_likeness_by_hand() -> None:
    generator = np.random.default_rng(0)
    maps = generator.standard_normal((3, 2, 9, 8)).round(1)
    others = (maps + 2 * generator.standard_normal(maps.shape)).round(1)
    alike = likeness(maps, others)
    assert alike.spearman_signed == pytest.approx(spearman(maps, others))
    assert alike.spearman_absolute == pytest.approx(spearman(np.abs(maps), np.abs(others)))
    sums = (np.abs(maps).sum(axis=1), np.abs(others).sum(axis=1))
    frames = [structural_similarity(x, y) for x, y in zip(*sums, strict=True)]
    assert alike.ssim == pytest.approx(np.mean(frames))
    assert 0.2 < alike.spearman_signed < 0.8


def test_maps_are_like_themselves_and_their_negative_is_so_without_signs() -> None:
    maps = np.random.default_rng(1).standard_normal((2, 3, 8, 8))
    same, negative = likeness(maps, maps), likeness(maps, -maps)
    assert (same.spearman_signed, same.spearman_absolute, same.ssim) == pytest.approx((1, 1, 1))
    assert (negative.spearman_signed, negative.spearman_absolute, negative.ssim) == pytest.approx((-1, 1, 1))


def test_many_cells_are_sampled() -> None:
    """Of 131,072 cells of unrelated maps, a sample's correlation is the whole's up to its error."""
    generator = np.random.default_rng(2)
    maps, others = generator.standard_normal((2, 16, 32, 16, 16))
    alike = likeness(maps, others)
    assert alike == likeness(maps, others)
    assert alike != likeness(maps, others, seed=1)
    assert abs(alike.spearman_signed) < 4 / np.sqrt(100_000)


def test_maps_of_other_shapes_are_refused() -> None:
    maps = np.ones((2, 3, 8, 8))
    with pytest.raises(InputError, match="others has the shape"):
        likeness(maps, maps[:, :2])
    with pytest.raises(InputError, match="Maps of 6 x 8 cells are smaller than a window of 7"):
        likeness(maps[:, :, :6], maps[:, :, :6])
