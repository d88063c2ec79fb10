"""Frames that the report's page shows, and what can be taken out of each, whoever is looking at them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.coinrun.masks import Renderer, Thing, surface, without
from rollouts.coinrun.state import parse
from rollouts.procgen_state import State
from rollouts.progress import Update, silent
from scoring.evidence import NAMES, REMOVABLE, Evidence

SURFACE_BIT = 128
"""Added to a pixel's label where it is surface, which is a part of the wall and no object of its own."""

BoolArray = NDArray[np.bool_]
Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Item:
    """What is taken out of a frame at once: an enemy with its trail, say, or all lava. `mask` (64, 64) is where it is.

    `things` is empty for what only a whole class of it is known of.
    """

    kind: str
    things: tuple[Thing, ...]
    mask: BoolArray


@dataclass(frozen=True)
class Clip:
    """N frames (N, 64, 64, 3) with a label for each pixel, and M frames with an item taken out.

    `labels` (N, 64, 64) uint8 is 0 or 1 + the item's place in `kinds[i]`, and `SURFACE_BIT` more on surface.
    `removed` (M, 64, 64, 3) is frame `index` (M,) without its item `item` (M,), sorted by frame. `episode` (N,) counts
    episodes, or environments where the frames do not follow one another; `consecutive` says which.
    """

    name: str
    frames: Frames
    labels: NDArray[np.uint8]
    kinds: tuple[tuple[str, ...], ...]
    removed: Frames
    index: NDArray[np.int64]
    item: NDArray[np.int64]
    episode: NDArray[np.int64]
    level: NDArray[np.int64]
    rewards: NDArray[np.float32]
    actions: NDArray[np.int64]
    consecutive: bool

    def __len__(self) -> int:
        return len(self.frames)


def items(state: State, things: Sequence[Thing]) -> list[Item]:
    """The things of a frame as the page takes them out: trails with the nearest enemy, all lava together."""
    grouped: dict[tuple[str, object], list[Thing]] = {}
    enemies = [int(thing.place) for thing in things if thing.kind == "enemy" and isinstance(thing.place, int)]
    for thing in things:
        if thing.kind in ("enemy", "trail"):
            grouped.setdefault(("enemy", _nearest(state, thing, enemies)), []).append(thing)
        elif thing.kind in ("lava", "wall", "velocity"):
            grouped.setdefault((thing.kind, None), []).append(thing)
        else:
            grouped.setdefault((thing.kind, thing.place), []).append(thing)
    return [
        Item(kind, tuple(group), np.logical_or.reduce([thing.mask for thing in group]))
        for (kind, _), group in grouped.items()
    ]


def _nearest(state: State, thing: Thing, enemies: Sequence[int]) -> int | None:
    """The place of the enemy that is nearest to an enemy (itself) or a trail; None without an enemy in the frame."""
    own = state.entities[thing.place]
    x, y = state.entities["x"] - own["x"], state.entities["y"] - own["y"]
    return min(enemies, key=lambda place: float(x[place] ** 2 + y[place] ** 2), default=None)


def labelled(shown: Sequence[Item], on_surface: BoolArray) -> NDArray[np.uint8]:
    """The label (64, 64) of each pixel."""
    labels = np.zeros((64, 64), dtype=np.uint8)
    for number, item in enumerate(shown, start=1):
        labels[item.mask] = number
    labels[on_surface] |= SURFACE_BIT
    return labels


def trajectory(bank: FrameBank, progress: Update = silent) -> Clip:
    """A bank's frames, each single object of them taken out in turn. `progress` is told frames done.

    Raises `BankError` when another build of the renderer drew the bank.
    """
    bank.check_renderer()
    renderer = Renderer()
    labels, kinds, removed, index, place = [], [], [], [], []
    for i, data in enumerate(bank.states):
        state = parse(data)
        shown = items(state, renderer.masks(state).objects)
        wall = np.logical_or.reduce([np.zeros((64, 64), dtype=bool), *(s.mask for s in shown if s.kind == "wall")])
        labels.append(labelled(shown, surface(wall)))
        kinds.append(tuple(item.kind for item in shown))
        for number, item in enumerate(shown):
            if item.kind in REMOVABLE:
                removed.append(renderer.render(without(state, item.things)))
                index.append(i)
                place.append(number)
        progress(1)
    return _clip("trajectory", bank, labels, kinds, removed, index, place)


def examples(bank: FrameBank, evidence: Evidence) -> Clip:
    """A bank's frames, each class taken out in turn, as the score did."""
    labels, kinds = [], []
    for masks in evidence.masks:
        shown = [Item(name, (), mask) for name, mask in zip(NAMES, masks, strict=True) if name != "surface"]
        shown = [item for item in shown if item.mask.any()]
        labels.append(labelled(shown, masks[NAMES.index("surface")]))
        kinds.append(tuple(item.kind for item in shown))
    removed, index, place = [], [], []
    for name in removable(evidence):
        for i, frame in zip(evidence.removed[name].index, evidence.removed[name].frames, strict=True):
            removed.append(frame)
            index.append(int(i))
            place.append(kinds[i].index(name))
    return _clip("examples", bank, labels, kinds, removed, index, place)


def removable(evidence: Evidence) -> list[str]:
    """The classes that `examples` takes out, in its order."""
    return [name for name in REMOVABLE if name in evidence.removed]


def _clip(
    name: str,
    bank: FrameBank,
    labels: list[NDArray[np.uint8]],
    kinds: list[tuple[str, ...]],
    removed: list[Frames],
    index: list[int],
    place: list[int],
) -> Clip:
    consecutive = name == "trajectory"
    return Clip(
        name,
        bank.frames,
        np.stack(labels),
        tuple(kinds),
        np.array(removed, dtype=np.uint8).reshape(-1, 64, 64, 3),
        np.array(index, dtype=np.int64),
        np.array(place, dtype=np.int64),
        (bank.episode if consecutive else bank.environment).astype(np.int64),
        bank.level.astype(np.int64),
        bank.rewards,
        bank.actions.astype(np.int64),
        consecutive,
    )
