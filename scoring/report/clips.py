"""Frames that the report's page shows, and what can be taken out of each, whoever is looking at them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.game import Game, Kind
from rollouts.items import Item, items
from rollouts.progress import Update, silent
from rollouts.renderers import renderer_of
from scoring.evidence import Evidence

PART_BIT = 128
"""Added to a pixel's label where it is of a kind that is a part of another, such as the surface of walls."""

BoolArray = NDArray[np.bool_]
Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Clip:
    """N frames (N, 64, 64, 3) with a label for each pixel, and M frames with an item taken out.

    `labels` (N, 64, 64) uint8 is 0 or 1 + the item's place in `kinds[i]`, and `PART_BIT` more on a kind that is a part
    of another. `regions` (N, 64, 64) say by name where kinds are that are not drawn by themselves, such as parts of
    walls. `removed` (M, 64, 64, 3) is frame `index` (M,) without its item `item` (M,), sorted by frame. `episode` (N,)
    counts episodes, or environments where the frames do not follow one another; `consecutive` says which.
    """

    name: str
    game: Game
    frames: Frames
    labels: NDArray[np.uint8]
    kinds: tuple[tuple[str, ...], ...]
    regions: Mapping[str, BoolArray]
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


def partial_kind(game: Game) -> Kind | None:
    """The kind that is a part of another, and that labels mark by `PART_BIT`; None without any."""
    return next((kind for kind in game.kinds if kind.part is not None), None)


def labelled(visible: Sequence[Item], on_part: BoolArray) -> NDArray[np.uint8]:
    """The label (64, 64) of each pixel."""
    labels = np.zeros((64, 64), dtype=np.uint8)
    for number, item in enumerate(visible, start=1):
        labels[item.mask] = number
    labels[on_part] |= PART_BIT
    return labels


def trajectory(bank: FrameBank, progress: Update = silent, outlined: Sequence[Kind] = ()) -> Clip:
    """A bank's frames, each single object of them taken out in turn, and where the kinds `outlined` are.

    These have a region in the frame. `progress` is told of each frame. Raises the errors of `renderer_of`.
    """
    game = bank.options.rules
    renderer, part, removable = renderer_of(bank), partial_kind(game), game.named("removable")
    regions = {kind.name: np.zeros((len(bank), 64, 64), dtype=bool) for kind in outlined}
    labels, kinds, removed, index, place = [], [], [], [], []
    for i, data in enumerate(bank.states):
        state = renderer.parse(data)
        masks = renderer.masks(state)
        if outlined:
            found = renderer.regions(state, masks)
            for kind in outlined:
                assert kind.region is not None
                regions[kind.name][i] = found[kind.region]
        visible = items(game, state, masks.objects)
        labels.append(labelled(visible, _on_part(game, part, game.kind_masks(masks.drawn))))
        kinds.append(tuple(item.kind for item in visible))
        for number, item in enumerate(visible):
            if item.kind in removable:
                removed.append(renderer.render(renderer.without(state, item.things)))
                index.append(i)
                place.append(number)
        progress(1)
    return _clip("trajectory", bank, labels, kinds, regions, removed, index, place)


def _on_part(game: Game, part: Kind | None, masks: BoolArray) -> BoolArray:
    """Where the kind that is a part of another is (64, 64), of masks (kinds, 64, 64)."""
    return np.zeros((64, 64), dtype=bool) if part is None else masks[game.index(part.name)]


def examples(bank: FrameBank, evidence: Evidence, outlined: Sequence[Kind] = ()) -> Clip:
    """A bank's frames, each class of what is drawn taken out in turn, as the score did, and where `outlined` are.

    These must be among the evidence's kinds.
    """
    game = bank.options.rules
    regions = {kind.name: evidence.masks[:, evidence.game.index(kind.name)] for kind in outlined}
    evidence = evidence.with_kinds(game)
    part = partial_kind(game)
    labels, kinds = [], []
    for masks in evidence.masks:
        whole = [Item(k.name, (), mask) for k, mask in zip(game.kinds, masks, strict=True) if k.part is None]
        visible = [item for item in whole if item.mask.any()]
        labels.append(labelled(visible, _on_part(game, part, masks)))
        kinds.append(tuple(item.kind for item in visible))
    removed, index, place = [], [], []
    for name in removed_kinds(evidence, game):
        for i, frame in zip(evidence.removed[name].index, evidence.removed[name].frames, strict=True):
            removed.append(frame)
            index.append(int(i))
            place.append(kinds[i].index(name))
    return _clip("examples", bank, labels, kinds, regions, removed, index, place)


def removed_kinds(evidence: Evidence, game: Game) -> list[str]:
    """The kinds of a clip's game that `examples` takes out, in its order."""
    return [name for name in game.named("removable") if name in evidence.removed]


def _clip(
    name: str,
    bank: FrameBank,
    labels: list[NDArray[np.uint8]],
    kinds: list[tuple[str, ...]],
    regions: Mapping[str, BoolArray],
    removed: list[Frames],
    index: list[int],
    place: list[int],
) -> Clip:
    consecutive = name == "trajectory"
    return Clip(
        name,
        bank.options.rules,
        bank.frames,
        np.stack(labels),
        tuple(kinds),
        regions,
        np.array(removed, dtype=np.uint8).reshape(-1, 64, 64, 3),
        np.array(index, dtype=np.int64),
        np.array(place, dtype=np.int64),
        (bank.episode if consecutive else bank.environment).astype(np.int64),
        bank.level.astype(np.int64),
        bank.rewards,
        bank.actions.astype(np.int64),
        consecutive,
    )
