"""Walls with a piece moved, and walls of which the outline is left."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from rollouts.bank import FrameBank
from rollouts.renderers import renderer_of
from scoring.changes import outline, pieces_moved
from scoring.draw.charts import save

EACH = 2
"""Frames that are shown of each part of walls."""
SEEN = 96
"""Frames of the bank that are looked through."""


def edits_figure(path: Path, bank: FrameBank, seed: int = 0) -> None:
    """Of each part of walls two frames, each as it is, with a piece of the part moved, and painted but for outlines.

    The piece is outlined in all three. Raises `InputError` for a game without concepts.
    """
    game = bank.options.rules.with_concepts()
    renderer, generator = renderer_of(bank), np.random.default_rng(seed)
    spread = np.unique(np.linspace(0, len(bank) - 1, SEEN).astype(int))
    views = {}
    for i in spread:
        state = renderer.parse(bank.states[i])
        views[int(i)] = state, renderer.masks(state)
    kinds = [kind for kind in game.kinds if kind.movable and kind.region is not None]
    figure = Figure(figsize=(1.35 * 3 * EACH, 1.5 * len(kinds)), dpi=110)
    axes = figure.subplots(len(kinds), 3 * EACH, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for row, kind in zip(axes, kinds, strict=True):
        row[0].set_title(kind.words, fontsize=8, loc="left")
        pieces = pieces_moved(bank, renderer, views, str(kind.region), spread, generator, most=EACH)
        for number, (i, moved, where) in enumerate(pieces):
            for place, image in enumerate((bank.frames[i], moved, outline(bank.frames[i], renderer, *views[i]))):
                axis = row[3 * number + place]
                axis.imshow(image, interpolation="nearest")
                axis.contour(where, levels=[0.5], colors="white", linewidths=1)
                axis.contour(where, levels=[0.5], colors="black", linewidths=0.4)
    figure.text(
        0.005, 0.004, "twice: a frame and a piece of its walls; the piece moved; walls painted over", fontsize=8
    )
    figure.subplots_adjust(left=0.005, right=0.995, top=0.97, bottom=0.025, wspace=0.04, hspace=0.2)
    save(figure, path)
