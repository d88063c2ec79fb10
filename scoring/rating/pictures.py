"""What a rater sees of a feature: frames with its attribution over them, and patches where it fires.

All of it is pixels of the game and of the maps. Nothing is drawn that tells agents apart: no value, no score, no name.
"""

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from scoring.draw.frames import overlay, top_frames
from scoring.explain.base import Maps, normalise
from scoring.explain.geometry import FRAME, LayerGeometry, cell_of_pixel
from scoring.explain.methods import attribute
from scoring.features.channels import Channels
from scoring.features.nmf import fit_nmf
from scoring.pipeline import Progress, ScoreConfig, check

SHEETS = ("strongest", "drawn", "places")
"""The pictures of a feature, by name."""
COLUMNS = 8
"""Frames of the sheets `strongest` and `drawn`."""
BLOCKS, PATCH, GAP, REUSE = 8, 16, 1, 3
"""`places` has so many blocks a side, each a patch of PATCH pixels, GAP apart; a frame gives at most REUSE patches."""
EMPTY = 44
"""Grey of a place where the feature never fires."""

Frames = NDArray[np.uint8]
Picture = NDArray[np.uint8]


def feature_maps(
    agent: Agent, bank: FrameBank, config: ScoreConfig, progress: Progress = lambda frames: None
) -> tuple[Maps, Maps]:
    """The features that a score with these settings judges: normalised signed maps, and activations along them.

    Both (N, K, H, W). `progress` is told the frames attributed, of `frames_to_attribute(bank, config)`.
    """
    layer, geometry = check(agent, config)

    def of(frames: Frames, before: int) -> Any:
        return attribute(
            agent.network,
            layer,
            frames,
            config.target,
            config.attribution,
            config.steps,
            lambda done: progress(before + done),
        )

    own = of(bank.frames, 0)
    basis = (
        fit_nmf(of(bank.pool, len(bank)).maps, config.components, config.seed)
        if config.features == "nmf"
        else Channels(geometry.channels)
    )
    activations = np.einsum("kc,nchw->nkhw", basis.directions, own.activations, optimize=True)
    return normalise(basis.transform(own))[0], activations


def frames_to_attribute(bank: FrameBank, config: ScoreConfig) -> int:
    """Frames that `feature_maps` attributes, the total of its progress."""
    return len(bank) + (len(bank.pool) if config.features == "nmf" else 0)


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
        lowers = (attribution[np.ix_(cells, cells)] < 0) & stripes
        below.append(np.where(lowers[..., None], (bare + painted) / 2, painted))
    rows = (np.concatenate(list(frames), axis=1), np.round(255 * np.concatenate(below, axis=1)))
    return np.concatenate(rows).astype(np.uint8)


def places_sheet(activations: Maps, frames: Frames, geometry: LayerGeometry) -> Picture:
    """For each of 8 x 8 places of the frame, the patch around where the feature fires most there; dim where weakly.

    A map of which objects it answers to and where, after the spatially aware dataset examples of Hilton et al. (2020).
    `activations` (N, H, W) are those of `frames` (N, 64, 64, 3).
    """
    centres = geometry.centres
    block = np.clip(centres * BLOCKS // FRAME, 0, BLOCKS - 1).astype(int)
    best = np.zeros((len(frames), BLOCKS, BLOCKS))
    where = np.zeros((len(frames), BLOCKS, BLOCKS, 2), dtype=int)
    for row in range(BLOCKS):
        for column in range(BLOCKS):
            rows, columns = np.flatnonzero(block == row), np.flatnonzero(block == column)
            if len(rows) and len(columns):
                inside = activations[:, rows[:, None], columns].reshape(len(frames), -1)
                best[:, row, column] = inside.max(axis=1)
                y, x = np.divmod(inside.argmax(axis=1), len(columns))
                where[:, row, column] = np.round(np.stack([centres[rows[y]], centres[columns[x]]], axis=-1))
    pitch = PATCH + GAP
    sheet = np.full((BLOCKS * pitch - GAP, BLOCKS * pitch - GAP, 3), EMPTY, dtype=np.float64)
    taken, uses, strongest = np.zeros((BLOCKS, BLOCKS), dtype=bool), np.zeros(len(frames), dtype=int), best.max()
    half = PATCH // 2
    padded = np.pad(frames, ((0, 0), (half, half), (half, half), (0, 0)), constant_values=EMPTY)
    for flat in np.argsort(-best, axis=None, kind="stable"):
        i, row, column = np.unravel_index(flat, best.shape)
        if best[i, row, column] <= 0 or taken.all():
            break
        if taken[row, column] or uses[i] == REUSE:
            continue
        taken[row, column], uses[i] = True, uses[i] + 1
        y, x = where[i, row, column]
        opacity = 0.15 + 0.85 * best[i, row, column] / strongest
        square = sheet[row * pitch : row * pitch + PATCH, column * pitch : column * pitch + PATCH]
        square += opacity * (padded[i, y : y + PATCH, x : x + PATCH] - square)
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
