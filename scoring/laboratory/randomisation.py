"""Does a map change when the network's weights are drawn again (Adebayo et al. 2018)? It must, if it explains them.

Cascading: from the head down, one part with weights after another, those before it staying random. Independent: one
part alone. Maps before and after are compared frame by frame: Spearman's rank correlation, signed and absolute, over
the pixels where either map has anything; SSIM; and Spearman's of the histograms of oriented gradients of |map|.

What maps of any two frames share, the middle of the frame or the pattern of a stride, is not the fault looked for: the
absolute correlation is also told over chance, less that of the map before on this frame and the map after on a frame of
another environment where that is positive (of maps that are on other pixels it is negative). A method passes if that
is below a half with all parts random; else it shows the frame and not the network. Passing rules out that fault
alone."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr
from skimage.feature import hog
from skimage.metrics import structural_similarity

from rollouts.progress import Update, silent
from scoring.explain.base import Maps
from scoring.explain.scenes import Scenes
from scoring.laboratory.base import Bench, FloatArray, Row, mean_over_frames
from scoring.laboratory.networks import cascade, randomised
from scoring.metrics.likeness import WINDOW

FRAMES = 16
"""Frames, of other environments each, on which maps are compared."""
HALF = 0.5
HOG_CELL = 8
REDRAWN = 700
"""First seed of the weights that are drawn again; an untrained agent of the same seed would be itself."""
SIMILARITIES = ("spearman", "spearman of |map|", "ssim", "hog")
OVER_CHANCE = "spearman of |map| over chance"


def randomisation(bench: Bench, progress: Update) -> list[Row]:
    """Rows of every method that looks at the network, for each part of it, both ways."""
    scenes, chosen = first_of_each(bench.scenes, FRAMES)
    head = "value" if bench.target == "value" else "policy"
    parts = cascade(bench.agent.network, head)
    ways: list[tuple[str, list[str]]] = [(f"cascading to {part}", parts[: i + 1]) for i, part in enumerate(parts)]
    ways += [(f"{part} alone", [part]) for part in parts[1:]]
    rows: list[Row] = []
    for name, method in bench.methods.items():
        if not method.control:
            before = bench.maps[name][chosen]
            for way, redrawn in ways:
                agent = randomised(bench.agent, redrawn, REDRAWN + bench.seed)
                after = method.draw(agent, scenes, bench.target, bench.seed, silent)
                rows += _rows(bench, name, way, similarities(before, after), scenes, last=redrawn == parts)
        progress(1)
    return rows


def _rows(bench: Bench, name: str, way: str, found: dict[str, FloatArray], scenes: Scenes, last: bool) -> Iterable[Row]:
    for similarity, values in found.items():
        number, frames = mean_over_frames(values, scenes.environment, bench.seed)
        asked = last and similarity == OVER_CHANCE and number.high is not None
        passes = number.high <= HALF if asked and number.high is not None else None
        yield Row("randomisation", name, bench.target, f"{similarity}, {way}", number, frames, passes)


def similarities(before: Maps, after: Maps) -> dict[str, FloatArray]:
    """Each similarity (n,) of maps (n, 64, 64), and the absolute correlation over that with the next frame's map."""
    found = alike(before, after)
    pairs = zip(np.abs(before), np.abs(np.roll(after, 1, axis=0)), strict=True)
    others = [_ranks_alike(ours, theirs) for ours, theirs in pairs]
    return found | {OVER_CHANCE: found[SIMILARITIES[1]] - np.fmax(others, 0)}


def _ranks_alike(ours: Maps, theirs: Maps) -> float:
    """Spearman's correlation over the pixels where either map has anything; nan where one of the two does not vary."""
    somewhere = (ours != 0) | (theirs != 0)
    pair = ours[somewhere], theirs[somewhere]
    return float(spearmanr(*pair).statistic) if all(one.size > 1 and np.ptp(one) > 0 for one in pair) else float("nan")


def alike(before: Maps, after: Maps) -> dict[str, FloatArray]:
    """Each similarity (n,) of maps (n, 64, 64) before and after; nan where one of the two does not vary."""
    rows = []
    for ours, theirs in zip(before, after, strict=True):
        if np.ptp(ours) == 0 or np.ptp(theirs) == 0:
            rows.append([np.nan] * 4)
            continue
        sizes = [np.abs(one) / np.abs(one).max() for one in (ours, theirs)]
        shapes = [_hog(size) for size in sizes]
        edged = float(spearmanr(*shapes).statistic) if all(np.ptp(shape) > 0 for shape in shapes) else np.nan
        structure = structural_similarity(*sizes, win_size=WINDOW, data_range=1.0)
        rows.append([_ranks_alike(ours, theirs), _ranks_alike(*sizes), structure, edged])
    return dict(zip(SIMILARITIES, np.array(rows, dtype=np.float64).T, strict=True))


def _hog(picture: Maps) -> FloatArray:
    return np.asarray(hog(picture, pixels_per_cell=(HOG_CELL, HOG_CELL), cells_per_block=(1, 1)), dtype=np.float64)


def first_of_each(scenes: Scenes, count: int) -> tuple[Scenes, list[int]]:
    """The first frame of each environment, `count` at most, as scenes of their own, and their places."""
    _, first = np.unique(scenes.environment, return_index=True)
    chosen = [int(i) for i in first[:count]]
    part = replace(
        scenes,
        frames=scenes.frames[chosen],
        environment=scenes.environment[chosen],
        masks=scenes.masks[chosen],
        objects=tuple(scenes.objects[i] for i in chosen),
        draw=lambda i, absent: scenes.draw(chosen[i], absent),
    )
    return part, chosen
