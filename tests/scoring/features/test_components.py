"""The number of components that were planted is chosen, and a fold's error is that of a loop over rows."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import nnls
from sklearn.decomposition import non_negative_factorization

from rollouts.errors import InputError
from scoring.features.components import CANDIDATES, choose_components, signed_rows

ENVIRONMENT = np.repeat(np.arange(8), 4) * 3
Maps = NDArray[np.float32]


def planted(components: int, channels: int = 32, noise: float = 0.02, seed: int = 0) -> Maps:
    """Maps (32, C, 8, 8): each cell is a sum of sparse non-negative directions of one sign, and a little noise."""
    generator = np.random.default_rng(seed)
    directions = np.zeros((components, channels))
    for direction in directions:
        direction[generator.choice(channels, channels // 3, replace=False)] = 0.2 + generator.random(channels // 3)
    weights = generator.exponential(size=(32, components, 8, 8)) * (generator.random((32, components, 8, 8)) < 0.3)
    sign = generator.choice([-1, 1], (32, 1, 8, 8))
    maps = np.einsum("kc,nkhw->nchw", directions, sign * weights)
    return (maps + noise * generator.standard_normal(maps.shape)).astype(np.float32)


@pytest.mark.parametrize("components", [3, 5, 8])
def test_planted_components_are_counted(components: int) -> None:
    found = choose_components(planted(components), ENVIRONMENT, seed=0, candidates=range(2, 11))
    assert found.chosen == components
    assert found.candidates == tuple(range(2, 11))
    errors = dict(zip(found.candidates, found.errors, strict=True))
    assert errors[components] < 0.01 < 0.05 < errors[components - 1]


def test_noise_has_no_components() -> None:
    maps = np.random.default_rng(0).standard_normal((32, 24, 8, 8)).astype(np.float32)
    found = choose_components(maps, ENVIRONMENT, seed=0, candidates=(6, 2, 4))
    assert found.candidates == (2, 4, 6)
    assert found.chosen == 2


def test_errors_are_the_mean_over_folds_of_loops_over_rows_and_channels() -> None:
    maps = planted(2, channels=6, noise=0.2)[:, :, :3, :3]
    (found,) = choose_components(maps, ENVIRONMENT, seed=3, candidates=[2]).errors
    generator = np.random.default_rng(3)
    halves = generator.permutation(np.unique(ENVIRONMENT)).reshape(2, -1)
    channels = generator.permutation(6).reshape(2, -1)
    cells = [maps[np.isin(ENVIRONMENT, half)].transpose(0, 2, 3, 1).reshape(-1, 6) for half in halves]
    rows = [np.maximum(np.concatenate([part, -part]), 0) for part in cells]
    rows = [part[part.sum(axis=1) > 0] for part in rows]
    errors = []
    for half in (0, 1):
        for known, hidden in (channels, channels[::-1]):
            weights, directions, _ = non_negative_factorization(
                rows[half][:, known], n_components=2, init="nndsvd", max_iter=200, random_state=3
            )
            continued = np.stack([nnls(weights.astype(float), column)[0] for column in rows[half][:, hidden].T], axis=1)
            wrong = whole = 0.0
            for row in rows[1 - half]:
                own = nnls(directions.T.astype(float), row[known])[0]
                wrong += ((row[hidden] - own @ continued) ** 2).sum()
                whole += (row[hidden] ** 2).sum()
            errors.append(wrong / whole)
    assert found == pytest.approx(np.mean(errors), rel=1e-3)


def test_the_choice_is_the_same_again_and_needs_few_rows() -> None:
    maps = planted(5)
    first, again = (choose_components(maps, ENVIRONMENT, 1, range(2, 9), max_rows=400) for _ in range(2))
    assert first == again
    assert first.chosen == 5


def test_signed_rows_are_both_parts_without_zeros() -> None:
    maps = np.zeros((2, 3, 1, 2), np.float32)
    maps[0, :, 0, 0] = 1, -2, 0
    maps[1, :, 0, 1] = 0, 0, 3
    generator = np.random.default_rng(0)
    np.testing.assert_array_equal(signed_rows(maps, 10, generator), [[1, 0, 0], [0, 0, 3], [0, 2, 0]])
    assert len(signed_rows(maps, 2, generator)) == 2


def test_channels_without_attribution_do_not_count() -> None:
    maps = np.zeros((32, 40, 8, 8), np.float32)
    maps[:, 5:37] = planted(4)
    assert choose_components(maps, ENVIRONMENT, seed=0).candidates == tuple(k for k in CANDIDATES if k < 16)


def test_too_few_channels_environments_and_cells_are_refused() -> None:
    maps = planted(3)
    with pytest.raises(InputError, match=r"Only 4 channels carry any attribution; 2 .* on more than 4"):
        choose_components(maps[:, :4], ENVIRONMENT, seed=0)
    with pytest.raises(InputError, match="there is only one"):
        choose_components(maps, np.zeros(32, int), seed=0)
    with pytest.raises(InputError, match=r"4 components are fitted on .*; one half .* has 2 with any"):
        choose_components(np.ones((4, 10, 1, 1), np.float32), np.arange(4), seed=0)
    with pytest.raises(InputError, match=r"^environment has the shape"):
        choose_components(maps, ENVIRONMENT[1:], seed=0)
