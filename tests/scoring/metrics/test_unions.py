"""Unions of concepts against a slow search through `Energies`, and features whose concepts are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rollouts.errors import InputError
from scoring.metrics.energies import Energies
from scoring.metrics.statistics import halves
from scoring.metrics.unions import GAIN, LONGEST, Description, GroupedMaps, describe

ENVIRONMENTS, SAMPLES, CONCEPTS = 8, 6, 5
FRAMES = ENVIRONMENTS * SAMPLES
ENVIRONMENT = np.repeat(np.arange(ENVIRONMENTS), SAMPLES) * 10
TIME = np.tile(np.arange(SAMPLES), ENVIRONMENTS)
ALL = np.ones(CONCEPTS, bool)
Maps = NDArray[np.float32]
Masks = NDArray[np.bool_]


def shares(masks: Masks) -> Maps:
    """Cells are squares of 2 x 2 pixels."""
    n, side, _ = masks.shape
    return masks.reshape(n, side // 2, 2, side // 2, 2).mean(axis=(2, 4), dtype=np.float32)


def squares(seed: int = 0, concepts: int = CONCEPTS) -> Masks:
    """Masks (N, C, 16, 16): in each frame a square of each concept, 3 to 6 pixels wide, somewhere; they overlap."""
    generator = np.random.default_rng(seed)
    masks = np.zeros((FRAMES, concepts, 16, 16), bool)
    for n, c in np.ndindex(FRAMES, concepts):
        row, column, side = *generator.integers(0, 10, 2), generator.integers(3, 7)
        masks[n, c, row : row + side, column : column + side] = True
    return masks


def following(masks: Masks, *strengths: dict[int, float]) -> Maps:
    """Features (N, K, 8, 8) of which each lies on the cells of its concepts, as strongly as is given for each."""
    cells = np.stack([shares(masks[:, c]) for c in range(masks.shape[1])], axis=1)
    maps = np.stack([sum(strength * cells[:, c] for c, strength in of.items()) for of in strengths], axis=1)
    return (maps / np.abs(maps).sum(axis=(1, 2, 3), keepdims=True)).astype(np.float32)


def slow_kappa(maps: Maps, masks: Masks, union: tuple[int, ...], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    y = shares(masks[:, list(union)].any(axis=1))[:, None]
    return Energies.from_maps(maps, y, ENVIRONMENT, TIME).kappa(weights)[:, 0]


def slow_description(maps: Maps, masks: Masks, seed: int) -> list[Description]:
    """One feature, union and group of environments after another, each length to its end."""
    half, other = halves(ENVIRONMENTS, seed, 1)[:, 0]
    found = []
    for k in range(maps.shape[1]):
        own, by_length = maps[:, [k]], []
        unions: list[tuple[int, ...]] = [(), (), ()]
        for _ in range(LONGEST):
            for g, weights in enumerate((np.ones(ENVIRONMENTS), half, other)):
                left = [c for c in range(CONCEPTS) if c not in unions[g]]
                scores = [slow_kappa(own, masks, (*unions[g], c), weights)[0] for c in left]
                unions[g] = (*unions[g], left[int(np.argmax(scores))])
            held_out = slow_kappa(own, masks, unions[1], other)[0] + slow_kappa(own, masks, unions[2], half)[0]
            by_length.append(Description(unions[0], held_out / 2))
        length = 1
        while length < LONGEST and by_length[length].kappa >= by_length[length - 1].kappa + GAIN:
            length += 1
        found.append(by_length[length - 1])
    return found


def test_kappa_on_groups_of_frames_is_that_of_energies() -> None:
    generator = np.random.default_rng(1)
    maps = generator.standard_normal((FRAMES, 2, 8, 8)) * generator.exponential(size=(FRAMES, 2, 1, 1))
    masks = squares()
    weights = np.stack([np.ones(ENVIRONMENTS), *halves(ENVIRONMENTS, 3, 1)[:, 0], np.eye(ENVIRONMENTS)[2]])
    for k, union in enumerate([(1,), (0, 4)]):
        y = shares(masks[:, list(union)].any(axis=1))
        found = GroupedMaps.of(maps[:, k], np.repeat(weights, SAMPLES, axis=1)).kappa(y.reshape(FRAMES, -1))
        expected = [slow_kappa(maps, masks, union, group)[k] for group in weights]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_kappa_by_hand() -> None:
    """Two frames of two cells, the mask on one of them: moving maps have E = 3/4 and Ew = 1/2."""
    y = np.array([[1, 0], [0, 1]], np.float32)
    groups = np.array([[1.0, 1], [1, 0], [0, 0]])
    still, moving = np.array([[[-3.0, 1]], [[3, -1]]]), np.array([[[-3.0, 1]], [[1, -3]]])
    np.testing.assert_allclose(GroupedMaps.of(still, groups).kappa(y), [0, 0, np.nan], atol=1e-6)
    np.testing.assert_allclose(GroupedMaps.of(moving, groups).kappa(y), [1 / 2, 0, np.nan], atol=1e-6)
    assert np.isnan(GroupedMaps.of(moving, groups).kappa(np.ones_like(y))).all()


@pytest.mark.parametrize("seed", range(4))
def test_descriptions_are_those_of_a_slow_search(seed: int) -> None:
    masks = squares(seed)
    generator = np.random.default_rng(seed)
    strengths = [dict(enumerate(generator.exponential(size=CONCEPTS) ** 3)) for _ in range(4)]
    maps = following(masks, *strengths) * generator.choice([-1, 1], (FRAMES, 1, 1, 1))
    found = describe(maps, masks, shares, ENVIRONMENT, ALL, np.ones(4, bool), seed)
    for one, slow in zip(found, slow_description(maps, masks, seed), strict=True):
        assert one is not None
        assert one.members == slow.members
        assert one.kappa == pytest.approx(slow.kappa, abs=1e-5)


def test_planted_unions_are_found() -> None:
    masks = squares()
    maps = following(masks, {3: 1}, {4: 2, 1: 1}, {0: 1, 2: 1.4, 4: 1.2}, {1: 1, 2: 0.01})
    found = describe(maps, masks, shares, ENVIRONMENT, ALL, np.ones(4, bool), seed=0)
    assert [None if one is None else one.members for one in found] == [(3,), (4, 1), (2, 4, 0), (1,)]
    assert [one is not None and one.mixture for one in found] == [False, True, True, False]


def test_concepts_that_may_not_be_used_are_not_and_few_are_enough() -> None:
    masks = squares()
    maps = following(masks, {0: 1, 1: 2})
    for allowed, members in (([1, 0, 0, 0, 0], (0,)), ([1, 1, 0, 0, 0], (1, 0)), ([0, 0, 0, 1, 0], (3,))):
        (found,) = describe(maps, masks, shares, ENVIRONMENT, np.array(allowed, bool), np.ones(1, bool), seed=0)
        assert found is not None
        assert found.members == members
    assert describe(maps, masks, shares, ENVIRONMENT, ~ALL, np.ones(1, bool), seed=0) == [None]


def test_what_is_not_wanted_or_has_no_attribution_in_one_half_has_no_description() -> None:
    masks = squares()
    maps = following(masks, {0: 1}, {0: 1}, {0: 1}, {0: 1})
    maps[:, 1] = 0
    maps[halves(ENVIRONMENTS, 0, 1)[0, 0].repeat(SAMPLES) > 0, 2] = 0
    wanted = np.array([True, True, True, False])
    found = describe(maps, masks, shares, ENVIRONMENT, ALL, wanted, seed=0)
    assert found[0] is not None
    assert found[1:] == [None, None, None]


def test_maps_that_follow_nothing_get_no_long_description() -> None:
    """Of 40 unions some fit a half by chance, and do not fit the other."""
    maps = np.random.default_rng(0).exponential(size=(FRAMES, 8, 8, 8)).astype(np.float32) ** 4
    found = describe(maps, squares(5), shares, ENVIRONMENT, ALL, np.ones(8, bool), seed=0)
    assert all(one is not None and not one.mixture and abs(one.kappa) < 0.05 for one in found)


def test_a_concept_that_never_moves_raises_kappa_without_its_own() -> None:
    """Two frames of three cells: a third of attribution on the mask that moves, two thirds on the one that does not."""
    moving = np.array([[1, 0, 0], [0, 1, 0]], np.float32)
    still = np.array([[0, 0, 1], [0, 0, 1]], np.float32)
    grouped = GroupedMaps.of(np.array([[[1.0, 0, 2]], [[0, 1, 2]]]), np.ones((1, 2)))
    assert grouped.kappa(still) == pytest.approx(0, abs=1e-6)
    assert grouped.kappa(moving) == pytest.approx((1 / 3 - 1 / 6) / (1 - 1 / 6))
    assert grouped.kappa(moving + still) == pytest.approx(1)


def test_each_union_is_averaged_over_cells_once() -> None:
    asked: list[bytes] = []

    def counted(masks: Masks) -> Maps:
        asked.append(masks.tobytes())
        return shares(masks)

    masks = squares()
    maps = following(masks, {0: 1, 1: 1.1}, {0: 1, 1: 1.3, 2: 1.2}, {1: 1, 0: 1.2})
    describe(maps, masks, counted, ENVIRONMENT, ALL, np.ones(3, bool), seed=0)
    assert len(asked) == len(set(asked)) <= 5 + 10 + 10


def test_too_few_environments_and_other_shapes_are_refused() -> None:
    masks = squares()
    maps = following(masks, {0: 1})
    with pytest.raises(InputError, match="3 environments"):
        describe(maps, masks, shares, np.arange(FRAMES) % 3, ALL, np.ones(1, bool), seed=0)
    with pytest.raises(InputError, match=r"^allowed has the shape \(4,\)"):
        describe(maps, masks, shares, ENVIRONMENT, ALL[1:], np.ones(1, bool), seed=0)
    with pytest.raises(InputError, match=r"^y has the shape \(48, 256\)"):
        describe(maps, masks, lambda pixels: pixels.astype(np.float32), ENVIRONMENT, ALL, np.ones(1, bool), seed=0)
