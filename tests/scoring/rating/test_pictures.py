"""What raters see against the arrays it is drawn from."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from agents.checkpoint import untrained_agent
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from scoring.draw.examples import GRID, REUSE
from scoring.evidence import Evidence
from scoring.explain.geometry import LayerGeometry
from scoring.pipeline import check, score
from scoring.rating.pictures import (
    EMPTY,
    GAP,
    PATCH,
    drawn_frames,
    feature_maps,
    feature_sheets,
    frames_sheet,
    frames_to_attribute,
    places_sheet,
)
from scoring.rating.served import SHEETS
from scoring.settings import ScoreConfig

FOUR = LayerGeometry(channels=1, size=16, jump=4, start=1.5, receptive_field=9)
"""Cell i covers the pixels 4 i to 4 i + 3."""


def noise(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (count, 64, 64, 3), dtype=np.uint8)


def test_a_frame_and_the_attribution_over_it() -> None:
    frames, maps = noise(2), np.zeros((2, 16, 16), dtype=np.float32)
    maps[0, 2, 5], maps[0, 7, 1], maps[1, 0, 0] = 3, -2, 0.5
    sheet = frames_sheet(frames, maps, FOUR, scale=2)
    assert sheet.shape == (128, 128, 3)
    np.testing.assert_array_equal(sheet[:64, :64], frames[0])
    np.testing.assert_array_equal(sheet[:64, 64:], frames[1])
    grey = 0.75 * (frames @ (0.299, 0.587, 0.114))[..., None].repeat(3, axis=-1)
    expected = grey.copy()
    orange, blue = 255 * np.array([0.95, 0.35, 0.0]), 255 * np.array([0.0, 0.35, 1.0])
    expected[0, 8:12, 20:24] = orange
    expected[1, :4, :4] = 0.75 * grey[1, :4, :4] + 0.25 * orange
    for y in range(28, 32):
        for x in range(4, 8):
            striped = (x + y) // 2 % 2
            expected[0, y, x] = (grey[0, y, x] + blue) / 2 if striped else blue
    for i in range(2):
        np.testing.assert_allclose(sheet[64:, 64 * i : 64 * i + 64], expected[i], atol=0.51)


def test_frames_are_drawn_in_proportion_to_attribution() -> None:
    maps = np.zeros((6, 16, 16), dtype=np.float32)
    maps[:5, 0, 0] = [1, -2, 3, 0, 4]
    environment = np.arange(6, dtype=np.int32)
    none = np.array([], dtype=np.int64)
    first = [drawn_frames(maps, environment, 1, [seed], none)[0] for seed in range(4000)]
    assert np.bincount(first, minlength=6) / 4000 == pytest.approx(np.array([1, 2, 3, 0, 4, 0]) / 10, abs=0.03)
    assert sorted(drawn_frames(maps, environment, 9, [0], none)) == [0, 1, 2, 4]  # those with any
    assert sorted(drawn_frames(maps, environment, 9, [0], np.array([4]))) == [0, 1, 2]
    same = np.array([0, 0, 0, 1, 1, 1], dtype=np.int32)
    assert len(drawn_frames(maps, same, 9, [0], none)) == 2  # one of each environment


def test_each_place_shows_the_frame_that_fires_there_most() -> None:
    frames = noise(3)
    activations = np.zeros((3, 16, 16), dtype=np.float32)
    activations[0, 4, 6] = 8  # centre: pixel (18, 26) after rounding 17.5 and 25.5; block (2, 3)
    activations[1, 4, 7] = 4  # in the same block, weaker
    activations[2, 0, 0] = 2  # block (0, 0), at the border; centre (2, 2)
    sheet = places_sheet(activations, frames, FOUR)
    pitch = PATCH + GAP
    assert sheet.shape == (GRID * pitch - GAP, GRID * pitch - GAP, 3)
    square = sheet[2 * pitch : 2 * pitch + PATCH, 3 * pitch : 3 * pitch + PATCH]
    np.testing.assert_array_equal(square, frames[0, 10:26, 18:34])
    corner = sheet[:PATCH, :PATCH].astype(float)
    opacity = 0.15 + 0.85 * 2 / 8
    np.testing.assert_allclose(corner[6:, 6:], EMPTY + opacity * (frames[2, :10, :10].astype(float) - EMPTY), atol=0.51)
    assert (corner[:6] == EMPTY).all()
    filled = np.zeros(sheet.shape[:2], dtype=bool)
    filled[2 * pitch : 2 * pitch + PATCH, 3 * pitch : 3 * pitch + PATCH] = filled[:PATCH, :PATCH] = True
    assert (sheet[~filled] == EMPTY).all()


def test_no_frame_fills_the_screen() -> None:
    frames = np.stack([np.full((64, 64, 3), value, dtype=np.uint8) for value in (100, 200)])
    activations = np.ones((2, 16, 16), dtype=np.float32)
    activations[0] = 2
    sheet = places_sheet(activations, frames, FOUR)
    centres = sheet[PATCH // 2 :: PATCH + GAP, PATCH // 2 :: PATCH + GAP, 0]
    assert (centres == 100).sum() == REUSE
    assert (centres != EMPTY).sum() == 2 * REUSE


def test_the_features_drawn_are_those_that_were_scored(bank: FrameBank, evidence: Evidence) -> None:
    agent = untrained_agent("compact", EnvOptions(), seed=2)
    attributed: list[int] = []

    def count(more: int, note: str = "") -> None:
        attributed.append(more)

    for features in ("nmf", "channels"):
        config = ScoreConfig(features=features, components=4, steps=2, refits=0, bootstrap=20, permutations=20)
        attributed.clear()
        maps, activations = feature_maps(agent, bank, config, count)
        assert sum(attributed) == frames_to_attribute(bank, config)
        np.testing.assert_allclose(maps, score(agent, bank, evidence, config).maps, atol=1e-6)
        assert activations.shape == maps.shape
    sheets = feature_sheets(maps[:, 3], activations[:, 3], bank, check(agent, config)[1], [0])
    assert set(sheets) == set(SHEETS)
    assert sheets == feature_sheets(maps[:, 3], activations[:, 3], bank, check(agent, config)[1], [0])
    strongest = Image.open(BytesIO(sheets["strongest"]))
    assert strongest.size == (8 * 64, 128)
    assert strongest.info == {}


def test_a_feature_without_attribution_can_be_shown(bank: FrameBank) -> None:
    nothing = np.zeros((len(bank), 16, 16), dtype=np.float32)
    sheets = feature_sheets(nothing, nothing, bank, FOUR, [0])
    assert np.unique(np.asarray(Image.open(BytesIO(sheets["places"])))).tolist() == [EMPTY]
    assert np.unique(np.asarray(Image.open(BytesIO(sheets["drawn"])))).tolist() == [EMPTY]
