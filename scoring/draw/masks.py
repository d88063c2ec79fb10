"""Frames, their masks, and the same frames without objects."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.masks import kind_masks
from rollouts.renderers import renderer_of
from scoring.draw.charts import save


def masks_figure(path: Path, bank: FrameBank, columns: int = 8) -> None:
    """Frames of a bank, the masks of everything in them, and the frames with all of it taken out.

    The frames are those that show the most kinds of objects, each of another environment.
    """
    game = bank.options.rules
    renderer = renderer_of(bank)
    spread = np.unique(np.linspace(0, len(bank) - 1, 96).astype(int))
    drawn = {int(i): renderer.masks(renderer.parse(bank.states[i])).drawn for i in spread}
    order = sorted(drawn, key=lambda i: (-int(drawn[i].any(axis=(1, 2)).sum()), i))
    first = {int(bank.environment[i]): i for i in reversed(order)}
    chosen = [i for i in order if first[int(bank.environment[i])] == i][:columns]
    figure = Figure(figsize=(1.5 * columns + 1.1, 5.3), dpi=110)
    axes = figure.subplots(3, columns, squeeze=False)
    for column, i in enumerate(chosen):
        state = renderer.parse(bank.states[i])
        painted = np.zeros((64, 64, 3))
        for kind, mask in zip(game.kinds, game.kind_masks(drawn[i]), strict=True):
            if kind.part is None:
                painted[mask] = to_rgb(kind.colour)
        for row, image in enumerate(
            (bank.frames[i], painted, renderer.render(renderer.without_drawn(state, game.drawn)))
        ):
            axes[row, column].imshow(image, interpolation="nearest")
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    for axis, name in zip(axes[:, 0], ("frame", "masks", "without objects"), strict=True):
        axis.set_ylabel(name, fontsize=9)
    handles = [Patch(color=kind.colour, label=kind.name) for kind in game.kinds if kind.part is None]
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=8, frameon=False)
    figure.subplots_adjust(left=0.03, right=0.995, top=0.99, bottom=0.07, wspace=0.04, hspace=0.04)
    save(figure, path)


EACH = 2
"""Frames that are shown of each concept."""


def concepts_figure(path: Path, bank: FrameBank, columns: int = 6) -> None:
    """Each of the game's concepts in two frames of a bank that show much of it, painted over the dimmed frame.

    The frames are of different environments where there are. Raises `InputError` for a game without concepts.
    """
    game = bank.options.rules.with_concepts()
    renderer = renderer_of(bank)
    spread = np.unique(np.linspace(0, len(bank) - 1, 192).astype(int))
    masks = np.zeros((len(spread), len(game.kinds), 64, 64), dtype=bool)
    for number, i in enumerate(spread):
        state = renderer.parse(bank.states[i])
        masks[number] = kind_masks(renderer, game, state, renderer.masks(state))
    rows = -(-len(game.kinds) // columns)
    figure = Figure(figsize=(2 * 1.25 * columns, 1.62 * rows), dpi=110)
    axes = figure.subplots(rows, EACH * columns, squeeze=False)
    for axis in axes.flat:
        axis.axis("off")
    for c, kind in enumerate(game.kinds):
        row, column = divmod(c, columns)
        own = axes[row, EACH * column : EACH * (column + 1)]
        for axis, number in zip(own, _showing(masks[:, c], bank.environment[spread]), strict=False):
            image = bank.frames[spread[number]] / 255 * 0.45
            image[masks[number, c]] = to_rgb(kind.colour)
            axis.imshow(image, interpolation="nearest")
        own[0].set_title(kind.words + ("" if kind.headline else " *"), fontsize=8, loc="left")
    figure.text(0.005, 0.004, "* no feature is named after it", fontsize=8)
    figure.subplots_adjust(left=0.005, right=0.995, top=0.955, bottom=0.03, wspace=0.04, hspace=0.17)
    save(figure, path)


def _showing(masks: NDArray[np.bool_], environment: NDArray[np.int32]) -> list[int]:
    """Of frames (N, 64, 64) those that show most, at most one of an environment."""
    pixels = masks.sum(axis=(1, 2))
    chosen: list[int] = []
    for number in np.argsort(-pixels, kind="stable"):
        if pixels[number] and environment[number] not in environment[chosen]:
            chosen.append(int(number))
    return chosen[:EACH]
