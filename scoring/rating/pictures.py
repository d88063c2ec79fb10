"""What a rater sees of a feature: frames with its attribution over them, and patches where it fires.

All of it is pixels of the game and of the maps. Nothing is drawn that tells agents apart: no value, no score, no name.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.progress import Update, silent
from scoring.draw.examples import GRID, example_grid
from scoring.draw.frames import on_pixels, overlay, top_frames
from scoring.explain.base import Attribution, Maps, normalise
from scoring.explain.geometry import FRAME, LayerGeometry, cell_of_pixel
from scoring.explain.methods import attribute
from scoring.features.base import along
from scoring.features.kinds import kind_named
from scoring.pipeline import check
from scoring.settings import ScoreConfig

COLUMNS = 8
"""Frames of the sheets `strongest` and `drawn`."""
PATCH, GAP = 16, 1
"""Pixels of the patches of `places`, one for each position of the grid of examples, and between them."""
EMPTY = 44
"""Grey of a place where the feature never fires."""

Frames = NDArray[np.uint8]
Picture = NDArray[np.uint8]


def feature_maps(agent: Agent, bank: FrameBank, config: ScoreConfig, progress: Update = silent) -> tuple[Maps, Maps]:
    """The features that a score with these settings judges: normalised signed maps, and activations along them.

    Both (N, K, H, W). `progress` is told of each of the `frames_to_attribute(bank, config)`. Raises `InputError` for a
    method of attribution that has no activations to show.
    """
    layer, geometry = check(agent, config)
    kind = kind_named(config.features)

    def of(frames: Frames) -> Attribution:
        return attribute(agent.network, layer, frames, config.target, config.attribution, config.steps, progress)

    own = of(bank.frames)
    if own.activations is None:
        raise InputError(f"attribution is '{config.attribution}', which has no activations to show to raters.")
    features = kind.fit(geometry.channels, of(bank.pool).maps if kind.fitted else None, config)
    return normalise(features.transform(own))[0], along(own.activations, features.directions)


def frames_to_attribute(bank: FrameBank, config: ScoreConfig) -> int:
    """Frames that `feature_maps` attributes, the total of its progress."""
    return len(bank) + (len(bank.pool) if kind_named(config.features).fitted else 0)


def drawn_frames(
    maps: Maps, environment: NDArray[np.int32], count: int, seed: list[int], without: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Frames (at most `count`) drawn in proportion to a feature's attribution (N, H, W), each of another environment.

    So they show where its attribution usually goes, as the strongest ones need not. Drawn without replacement
    (Efraimidis and Spirakis 2006), and none of the frames `without`.
    """
    mass = np.abs(maps).sum(axis=(1, 2), dtype=np.float64)
    mass[without] = 0
    tickets = np.full(len(mass), -np.inf)
    some = mass > 0
    tickets[some] = np.log(np.random.default_rng(seed).random(int(some.sum()))) / mass[some]
    order = np.argsort(-tickets, kind="stable")[: int(some.sum())]
    _, first = np.unique(environment[order], return_index=True)
    return np.asarray(order[np.sort(first)][:count])


def frames_sheet(frames: Frames, maps: Maps, geometry: LayerGeometry, scale: float) -> Picture:
    """Frames (M, 64, 64, 3) side by side, and below them the same with attribution (M, H, W) over them.

    Orange raises the target; what lowers it is blue and striped, so that colour alone never tells. Opaque from `scale`.
    """
    cells = cell_of_pixel(geometry)
    stripes = (np.add.outer(np.arange(FRAME), np.arange(FRAME)) // 2 % 2).astype(bool)
    below = []
    for frame, attribution in zip(frames, maps, strict=True):
        bare = overlay(frame, np.zeros_like(attribution), cells, scale)
        painted = overlay(frame, attribution, cells, scale)
        lowers = (on_pixels(attribution, cells) < 0) & stripes
        below.append(np.where(lowers[..., None], (bare + painted) / 2, painted))
    rows = (np.concatenate(list(frames), axis=1), np.round(255 * np.concatenate(below, axis=1)))
    return np.concatenate(rows).astype(np.uint8)


def places_sheet(activations: Maps, frames: Frames, geometry: LayerGeometry) -> Picture:
    """For each position of the grid of examples, the patch around where the feature fires most; dim where weakly.

    A map of which objects it answers to and where, after the spatially aware dataset examples of Hilton et al. (2020).
    `activations` (N, H, W) are those of `frames` (N, 64, 64, 3).
    """
    examples, pitch, half = example_grid(activations), PATCH + GAP, PATCH // 2
    sheet = np.full((GRID * pitch - GAP, GRID * pitch - GAP, 3), EMPTY, dtype=np.float64)
    padded = np.pad(frames, ((0, 0), (half, half), (half, half), (0, 0)), constant_values=EMPTY)
    centres = np.round(geometry.centres).astype(int)
    for row, column in np.argwhere(examples.activation > 0):
        y, x = centres[examples.cell[row, column]]
        opacity = 0.15 + 0.85 * examples.activation[row, column] / examples.activation.max()
        square = sheet[row * pitch : row * pitch + PATCH, column * pitch : column * pitch + PATCH]
        square += opacity * (padded[examples.frame[row, column], y : y + PATCH, x : x + PATCH] - square)
    return np.round(sheet).astype(np.uint8)


def feature_sheets(
    maps: Maps, activations: Maps, bank: FrameBank, geometry: LayerGeometry, seed: list[int]
) -> dict[str, bytes]:
    """One feature's pictures as PNG files, by the names `SHEETS`; from its maps and activations (N, H, W)."""
    strongest = top_frames(maps, bank.environment, COLUMNS)
    drawn = drawn_frames(maps, bank.environment, COLUMNS, seed, strongest)
    scale = float(np.median(np.abs(maps[strongest]).max(axis=(1, 2))))
    pictures = {
        "strongest": frames_sheet(bank.frames[strongest], maps[strongest], geometry, scale),
        "drawn": frames_sheet(bank.frames[drawn], maps[drawn], geometry, scale) if len(drawn) else _nothing(),
        "places": places_sheet(activations, bank.frames, geometry),
    }
    return {name: _png(picture) for name, picture in pictures.items()}


def _nothing() -> Picture:
    return np.full((2 * FRAME, FRAME, 3), EMPTY, dtype=np.uint8)


def _png(picture: Picture) -> bytes:
    file = BytesIO()
    Image.fromarray(picture).save(file, "PNG", optimize=True)
    return file.getvalue()
