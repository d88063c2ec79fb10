"""What a bank shows, whoever is scored on it: masks of every class and frames with a class taken away."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from rollouts.bank import FrameBank
from rollouts.masks import CLASSES, Masks, Renderer, surface, with_other_background, without_classes
from rollouts.state import parse

SCORED = ("coin", "saw", "enemy", "crate", "lava", "surface")
"""Classes of the headline; `enemy` includes its trail."""
DIAGNOSTIC = ("wall", "agent", "velocity")
"""Classes that are measured and kept out of the headline."""
NAMES = SCORED + DIAGNOSTIC
REMOVABLE = ("coin", "saw", "enemy", "crate", "lava", "agent")
CONTROLLED = ("coin", "saw", "enemy", "crate", "lava")
"""Removed classes that have a control: the same silhouette, cut out of the background instead."""

BoolArray = NDArray[np.bool_]
Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Counterfactual:
    """`frames` (M, 64, 64, 3) are the bank's frames `index` (M,) changed."""

    index: NDArray[np.int64]
    frames: Frames


@dataclass(frozen=True)
class Tracks:
    """M single objects, each in a frame of the bank and in the next frame, found by its place in the state.

    `index` (M,) is the frame, `kind` (M,) the class in `NAMES`; `before` and `after` (M, 64, 64) are the object's
    visible pixels in the frame and in the next one.
    """

    index: NDArray[np.int64]
    kind: NDArray[np.int64]
    before: BoolArray
    after: BoolArray


@dataclass(frozen=True)
class Evidence:
    """`masks` (N, C, 64, 64), undilated, for the classes `NAMES`; `objects` (N, 64, 64) is every class but velocity.

    `tracks` follows single objects into the next frame; None for a bank without next frames. `removed[c]` shows the
    frames that have class c without it (velocity: with another frame's velocity painted); `control[c]` shows them with
    as many pixels of background changed instead, in the same shape.
    """

    masks: BoolArray
    objects: BoolArray
    tracks: Tracks | None
    removed: dict[str, Counterfactual]
    control: dict[str, Counterfactual]

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Visible pixels (N, C) of each class."""
        return self.masks.sum(axis=(2, 3))

    @property
    def prevalence(self) -> dict[str, float]:
        """Mean share of the frame that each class covers, and all objects together."""
        shares = self.masks.mean(axis=(0, 2, 3))
        return dict(zip(NAMES, map(float, shares), strict=True)) | {"objects": float(self.objects.mean())}


def gather(bank: FrameBank, seed: int = 0, progress: Callable[[int], None] = lambda frames: None) -> Evidence:
    """Render the bank's states again: masks, and frames without each class. `progress` is told frames done.

    Raises `BankError` when another build of the renderer drew the bank, `StateError` for a state it cannot read.
    """
    bank.check_renderer()
    renderer = Renderer()
    generator = np.random.default_rng(seed)
    masks = np.zeros((len(bank), len(NAMES), 64, 64), dtype=bool)
    objects = np.zeros((len(bank), 64, 64), dtype=bool)
    removed: dict[str, list[tuple[int, Frames]]] = {name: [] for name in REMOVABLE}
    control: dict[str, list[tuple[int, Frames]]] = {name: [] for name in CONTROLLED}
    tracked: list[tuple[int, int, BoolArray, BoolArray]] = []
    for i, data in enumerate(bank.states):
        state = parse(data)
        shown = renderer.masks(state)
        by_class = dict(zip(CLASSES, shown.classes, strict=True))
        if bank.next_states is not None:
            following = parse(bank.next_states[i])
            if following.episode["cur_time"] == state.episode["cur_time"] + 1:  # else a new episode began
                tracked += [(i, *pair) for pair in _follow(shown, renderer.masks(following))]
        objects[i] = np.logical_or.reduce([mask for name, mask in by_class.items() if name != "velocity"])
        by_class["enemy"] = by_class["enemy"] | by_class["trail"]
        by_class["surface"] = surface(by_class["wall"])
        masks[i] = [by_class[name] for name in NAMES]
        occupied = objects[i] | by_class["velocity"]
        elsewhere = None
        for name in REMOVABLE:
            if not by_class[name].any():
                continue
            gone = ("enemy", "trail") if name == "enemy" else (name,)
            removed[name].append((i, renderer.render(without_classes(state, gone))))
            if name in CONTROLLED:
                place = move_silhouette(by_class[name], occupied, generator)
                if place is not None:
                    if elsewhere is None:
                        elsewhere = renderer.render(with_other_background(state))
                    control[name].append((i, np.where(place[..., None], elsewhere, bank.frames[i])))
        progress(i + 1)
    removed["velocity"] = _other_velocities(bank, masks[:, NAMES.index("velocity")], generator)
    tracks = _tracks(tracked) if bank.next_states is not None else None
    return Evidence(masks, objects, tracks, _stack(removed), _stack(control))


def _follow(shown: Masks, following: Masks) -> list[tuple[int, BoolArray, BoolArray]]:
    """Class and pixels, before and after, of each object that is visible both times."""
    later = {(thing.kind, thing.place): thing.mask for thing in following.objects if thing.kind in CONTROLLED}
    return [
        (NAMES.index(thing.kind), thing.mask, later[thing.kind, thing.place])
        for thing in shown.objects
        if (thing.kind, thing.place) in later
    ]


def _tracks(found: list[tuple[int, int, BoolArray, BoolArray]]) -> Tracks:
    index, kind = (np.array([each[part] for each in found], dtype=np.int64) for part in (0, 1))
    before, after = (np.array([each[part] for each in found], dtype=bool).reshape(-1, 64, 64) for part in (2, 3))
    return Tracks(index, kind, before, after)


def move_silhouette(silhouette: BoolArray, occupied: BoolArray, generator: np.random.Generator) -> BoolArray | None:
    """The silhouette (64, 64) moved to a random place of the frame where nothing is `occupied`, or None without one."""
    rows, columns = np.flatnonzero(silhouette.any(axis=1)), np.flatnonzero(silhouette.any(axis=0))
    shape = silhouette[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    overlap = fftconvolve(occupied.astype(float), shape[::-1, ::-1].astype(float), mode="valid")
    free = np.argwhere(overlap < 0.5)
    if not len(free):
        return None
    row, column = free[generator.integers(len(free))]
    moved = np.zeros_like(silhouette)
    moved[row : row + shape.shape[0], column : column + shape.shape[1]] = shape
    return moved


def _other_velocities(bank: FrameBank, masks: BoolArray, generator: np.random.Generator) -> list[tuple[int, Frames]]:
    """Every frame with the velocity squares of a random other frame."""
    if not masks.any():
        return []
    shift = int(generator.integers(1, len(bank)))
    return [
        (i, np.where(masks[i][..., None], bank.frames[(i + shift) % len(bank)], bank.frames[i]))
        for i in range(len(bank))
    ]


def _stack(changed: dict[str, list[tuple[int, Frames]]]) -> dict[str, Counterfactual]:
    return {
        name: Counterfactual(np.array([i for i, _ in pairs]), np.stack([frame for _, frame in pairs]))
        for name, pairs in changed.items()
        if pairs
    }
