"""Detection measures against an independent library and numbers worked out by hand."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from scoring.evidence import Evidence
from scoring.metrics.dissection import detection, stability


@pytest.fixture
def maps() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    generator = np.random.default_rng(0)
    y = generator.random((6, 2, 4, 4)) * (generator.random((6, 2, 4, 4)) < 0.3)
    z = np.round(generator.random((6, 3, 4, 4)), 1)  # with many equal values
    z[:, 1] = y[:, 0]
    return z.astype(np.float32), y.astype(np.float32)


def test_average_precision_is_sklearns_with_every_cell_as_part_hit_and_part_miss(
    maps: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    z, y = maps
    _, found = detection(z, y)
    for k in range(3):
        for c in range(2):
            shares, scores = y[:, c].reshape(-1).astype(float), z[:, k].reshape(-1)
            labels = np.repeat([1, 0], len(shares))
            value = average_precision_score(
                labels, np.tile(scores, 2), sample_weight=np.concatenate([shares, 1 - shares])
            )
            p = shares.mean()
            assert found[k, c] == pytest.approx((value - p) / (1 - p))


def test_average_precision_of_constants_and_perfect_detectors() -> None:
    y = np.zeros((4, 2, 3, 3), dtype=np.float32)
    y[::2, 0, 1, 1] = 1
    z = np.stack([np.ones_like(y[:, 0]), y[:, 0]], axis=1)
    _, found = detection(z, y)
    assert found[0, 0] == pytest.approx(0)
    assert found[1, 0] == pytest.approx(1)
    assert np.isnan(found[:, 1]).all(), "the second class never shows"


def test_iou_takes_as_many_cells_as_the_class_covers() -> None:
    """Of 16 cells the class covers 4; the feature is strongest on 4 cells, 3 of them the class's: 3 / (4 + 4 - 3)."""
    y, z = np.zeros((1, 1, 4, 4), dtype=np.float32), np.zeros((1, 1, 4, 4), dtype=np.float32)
    y[0, 0, 0] = 1
    z[0, 0, 0] = [4, 5, 6, 0.5]
    z[0, 0, 3, 3] = 7
    z[0, 0, 1:3] = np.linspace(0.01, 0.4, 8).reshape(2, 4)
    assert detection(z, y)[0][0, 0] == pytest.approx(3 / 5)
    assert detection(y, y)[0][0, 0] == pytest.approx(1)
    z[0, 0] = y[0, 0] + np.linspace(0, 0.1, 16).reshape(4, 4)
    assert detection(z, y)[0][0, 0] == pytest.approx(1)


def test_stability_is_the_correlation_over_objects_of_one_class() -> None:
    generator = np.random.default_rng(1)
    before = generator.normal(size=(2, 30))
    after = before + generator.normal(size=(2, 30))
    kind = np.array([0] * 20 + [1] * 8 + [2] * 2)
    found = stability(before, after, kind, 4)
    assert found[1, 0] == pytest.approx(np.corrcoef(before[1, :20], after[1, :20])[0, 1])
    assert found[0, 1] == pytest.approx(np.corrcoef(before[0, 20:28], after[0, 20:28])[0, 1])
    assert np.isnan(found[:, 2:]).all(), "two objects have no correlation, and none have none"


def test_tracks_follow_the_same_object(bank: FrameBank, evidence: Evidence) -> None:
    tracks = evidence.tracks
    assert tracks is not None
    assert len(tracks.index) > 20
    assert {COINRUN.widest.names[c] for c in np.unique(tracks.kind)} <= set(COINRUN.widest.named("controlled"))
    assert evidence.following is not None
    frames = evidence.following.index[tracks.index]
    for index, kind, before in zip(frames, tracks.kind, tracks.before, strict=True):
        assert not (before & ~evidence.masks[index, kind]).any(), "an object's pixels are its class's"
    centres = [np.array([np.argwhere(mask).mean(axis=0) for mask in masks]) for masks in (tracks.before, tracks.after)]
    moved = np.abs(centres[0] - centres[1]).max(axis=1)
    assert np.median(moved) < 5, "in one step the picture moves by less than a tile"
