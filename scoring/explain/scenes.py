"""Frames whose objects are known, and that can be drawn again without any of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.items import Item, items
from rollouts.masks import kind_masks
from rollouts.procgen_state import State
from rollouts.progress import Update, silent
from rollouts.renderers import renderer_of

Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Scenes:
    """N frames (N, 64, 64, 3) of `environment` (N,), and the objects that show in each.

    `masks` (N, C, 64, 64) are of the game's kinds. `objects[i]` are those of frame i that can be taken out, one by one
    or together, back to front. `draw(i, absent)` is frame i (64, 64, 3) without some of its objects.
    """

    game: Game
    frames: Frames
    environment: NDArray[np.int64]
    masks: NDArray[np.bool_]
    objects: tuple[tuple[Item, ...], ...]
    draw: Callable[[int, Sequence[Item]], Frames]

    def __len__(self) -> int:
        return len(self.frames)

    def without_each(self) -> tuple[NDArray[np.int64], Frames]:
        """Every object taken out by itself: the frame (M,) that it was in, and that frame (M, 64, 64, 3) without it."""
        index = [i for i, own in enumerate(self.objects) for _ in own]
        frames = [self.draw(i, [thing]) for i, own in enumerate(self.objects) for thing in own]
        return np.array(index, dtype=np.int64), np.array(frames, dtype=np.uint8).reshape(-1, 64, 64, 3)


def scenes_of(bank: FrameBank, count: int, progress: Update = silent) -> Scenes:
    """The first frames of each environment of a bank, `count` in all, as equal a number from each as there are.

    `progress` is told of each frame. Raises `InputError` for more frames than the bank has, or fewer than two
    environments, and as `renderer_of` does.
    """
    environments = len(np.unique(bank.environment))
    if environments < 2:
        raise InputError("The bank is of one environment; intervals need two at least.")
    if not 0 < count <= len(bank):
        raise InputError(f"frames is {count}; the bank has 1 to {len(bank)}.")
    rules, game = bank.options.rules, bank.options.rules.widest
    renderer = renderer_of(bank)
    order = np.lexsort((bank.environment, _rank(bank.environment)))[:count]
    chosen = np.sort(order)
    states: list[State] = []
    masks, objects = [], []
    for i in chosen:
        state = renderer.parse(bank.states[i])
        visible = renderer.masks(state)
        states.append(state)
        masks.append(kind_masks(renderer, game, state, visible))
        objects.append(tuple(item for item in items(rules, state, visible.objects) if rules.kind(item.kind).removable))
        progress(1)

    def draw(i: int, absent: Sequence[Item]) -> Frames:
        return renderer.render(renderer.without(states[i], [thing for item in absent for thing in item.things]))

    return Scenes(
        game,
        bank.frames[chosen],
        np.unique(bank.environment[chosen], return_inverse=True)[1].reshape(-1),
        np.stack(masks),
        tuple(objects),
        draw,
    )


def _rank(environment: NDArray[np.int32]) -> NDArray[np.int64]:
    """Of each frame (N,), how many of its environment come before it."""
    rank = np.zeros(len(environment), dtype=np.int64)
    for label in np.unique(environment):
        own = environment == label
        rank[own] = np.arange(np.count_nonzero(own))
    return rank
