"""Features are linear maps of channels: what is planted is found, and nothing is lost."""

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, nnls

from rollouts.errors import InputError
from scoring.explain.base import Attribution
from scoring.features.base import residual
from scoring.features.channels import Channels
from scoring.features.least_squares import NonnegativeLeastSquares
from scoring.features.nmf import NMF, fit_nmf, resampled
from scoring.features.rotated import Rotated, rotated


def attribution(activations: np.ndarray, gradients: np.ndarray) -> Attribution:
    outputs = np.zeros(len(activations), dtype=np.float32)
    return Attribution("integrated_gradients", outputs, 0.0, activations, gradients)


def of_maps(maps: np.ndarray) -> Attribution:
    return attribution(maps.astype(np.float32), np.ones_like(maps, dtype=np.float32))


@pytest.fixture(scope="module")
def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def planted(generator: np.random.Generator, directions: np.ndarray, frames: int = 40) -> np.ndarray:
    """Maps in which every cell has one direction, with either sign and a random size."""
    which = generator.integers(0, len(directions), (frames, 8, 8))
    size = generator.standard_normal((frames, 8, 8)) * generator.lognormal(size=(frames, 1, 1))
    return np.moveaxis(directions[which] * size[..., None], -1, 1).astype(np.float32)


def test_planted_directions_are_recovered(generator: np.random.Generator) -> None:
    directions = np.eye(12)[:5] + 0.2 * np.eye(12)[5:10]
    basis = fit_nmf(planted(generator, directions), components=5, seed=0)
    truth = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    found = basis.directions / np.linalg.norm(basis.directions, axis=1, keepdims=True)
    similarity = truth @ found.T
    rows, columns = linear_sum_assignment(-similarity)
    assert similarity[rows, columns].min() > 0.999
    np.testing.assert_allclose(basis.directions.sum(axis=1), 1, rtol=1e-5)


def test_transform_is_non_negative_least_squares_of_both_signs(generator: np.random.Generator) -> None:
    directions = generator.random((4, 9)).astype(np.float32)
    basis = NMF(directions / directions.sum(axis=1, keepdims=True), True)
    maps = generator.standard_normal((2, 9, 3, 3)).astype(np.float32)
    found = basis.transform(of_maps(maps))
    for n, y, x in np.ndindex(2, 3, 3):
        row = maps[n, :, y, x].astype(float)
        expected = nnls(basis.directions.T, np.maximum(row, 0))[0] - nnls(basis.directions.T, np.maximum(-row, 0))[0]
        np.testing.assert_allclose(found[n, :, y, x], expected, atol=1e-5)


def test_least_squares_of_directions_that_depend_on_one_another(generator: np.random.Generator) -> None:
    """Weights are not unique then, but how near they come is: as near as scipy's."""
    directions = np.repeat(generator.random((3, 6)), 2, axis=0).astype(np.float32)
    directions[5] = 0
    rows = np.maximum(generator.standard_normal((200, 6)), 0).astype(np.float32)
    found = NonnegativeLeastSquares(directions)(rows)
    assert (found >= 0).all()
    for row, weights in zip(rows.astype(float), found, strict=True):
        assert np.linalg.norm(row - weights @ directions) == pytest.approx(
            nnls(directions.T.astype(float), row)[1], abs=1e-5
        )


def test_features_and_residual_sum_to_the_attribution(generator: np.random.Generator) -> None:
    maps = generator.standard_normal((6, 10, 4, 4)).astype(np.float32)
    basis = fit_nmf(maps, components=3, seed=1)
    features = basis.transform(of_maps(maps))
    total = features.sum(axis=1) + residual(of_maps(maps), features)
    np.testing.assert_allclose(total, maps.sum(axis=1), atol=1e-5)
    inside = np.einsum("kc,nkhw->nchw", basis.directions, np.abs(generator.standard_normal((5, 3, 2, 2))))
    assert np.abs(residual(of_maps(inside), basis.transform(of_maps(inside)))).max() < 2e-3


def test_transform_is_homogeneous_frame_by_frame(generator: np.random.Generator) -> None:
    maps = generator.standard_normal((3, 10, 4, 4)).astype(np.float32)
    basis = fit_nmf(maps, components=3, seed=1)
    scaled = basis.transform(of_maps(1000 * maps))
    np.testing.assert_allclose(scaled / 1000, basis.transform(of_maps(maps)), atol=1e-5)


def test_zero_frames_stay_zero_and_few_rows_are_enough(generator: np.random.Generator) -> None:
    maps = planted(generator, np.eye(6))
    basis = fit_nmf(maps, components=6, seed=0, max_rows=300)
    assert not basis.transform(of_maps(np.zeros((2, 6, 4, 4)))).any()
    assert sorted(basis.directions.argmax(axis=1).tolist()) == list(range(6))
    again = fit_nmf(maps, components=6, seed=0, max_rows=300)
    np.testing.assert_array_equal(basis.directions, again.directions)


def test_more_features_than_channels_with_attribution_are_refused() -> None:
    maps = np.zeros((3, 8, 4, 4), dtype=np.float32)
    assert not fit_nmf(maps, components=2, seed=0).transform(of_maps(maps)).any()  # dead, and said to be so elsewhere
    maps[:, :3] = np.random.default_rng(0).random((3, 3, 4, 4))
    with pytest.raises(InputError, match="4 features were asked for, but only 3"):
        fit_nmf(maps, components=4, seed=0)


def test_rotated_features(generator: np.random.Generator) -> None:
    """Without rotation they are the channels; with any they keep the sum over features (U is orthogonal)."""
    h, g = (generator.standard_normal((2, 6, 3, 3)).astype(np.float32) for _ in range(2))
    plain = Rotated(np.eye(6, dtype=np.float32)).transform(attribution(h, g))
    np.testing.assert_allclose(plain, Channels(6).transform(attribution(h, g)), atol=1e-6)
    basis = rotated(6, draws=3, seed=5)
    assert basis.directions.shape == (18, 6)
    for draw in np.split(basis.directions, 3):
        np.testing.assert_allclose(draw @ draw.T, np.eye(6), atol=1e-5)
    maps = basis.transform(attribution(h, g))
    np.testing.assert_allclose(maps.reshape(2, 3, 6, 3, 3).sum(axis=2)[:, 1], (h * g).sum(axis=1), atol=1e-4)
    assert not np.allclose(basis.directions, rotated(6, draws=3, seed=6).directions)


def test_resampling_draws_whole_environments() -> None:
    environment = np.repeat(np.arange(4, dtype=np.int32), 3)
    frames = resampled(environment, seed=0)
    assert len(frames) == 12
    counts = np.bincount(frames, minlength=12).reshape(4, 3)
    assert (counts == counts[:, :1]).all()
