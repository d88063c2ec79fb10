"""Frames of a bank with one kind of thing changed: taken out, moved, showing something else, or painted over."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from rollouts.bank import FrameBank
from rollouts.game import Game
from rollouts.masks import Masks, Renderer
from rollouts.procgen_state import State

CHANGED = 128
"""Frames of a class that are changed at most, and frames that are followed into the next one at most."""

BoolArray = NDArray[np.bool_]
Frames = NDArray[np.uint8]


@dataclass(frozen=True)
class Counterfactual:
    """`frames` (M, 64, 64, 3) are the bank's frames `index` (M,) changed.

    `where` (M, 64, 64) is what was changed, None where it is all that shows of the class.
    """

    index: NDArray[np.int64]
    frames: Frames
    where: BoolArray | None = None


def changed_frames(
    bank: FrameBank,
    renderer: Renderer,
    game: Game,
    views: Mapping[int, tuple[State, Masks]],
    masks: BoolArray,
    objects: BoolArray,
    generator: np.random.Generator,
) -> tuple[dict[str, Counterfactual], dict[str, Counterfactual], Counterfactual | None]:
    """What `Evidence` has as `removed`, `control` and `outlined`.

    `views` are each frame's state and what shows of it, `masks` (N, C, 64, 64) are of the game's kinds, and `objects`
    (N, 64, 64) is where any object is.
    """
    removed, control = {}, {}
    occupied = objects | game.displays(masks)
    for c, kind in enumerate(game.kinds):
        if not kind.removable or game.removed_with(kind) != kind.name:
            continue
        chosen = spread_out(np.flatnonzero(masks[:, c].any(axis=(1, 2))), bank.environment, generator)
        gone = [renderer.render(renderer.without_drawn(views[i][0], kind.drawn)) for i in chosen]
        removed[kind.name] = list(zip(map(int, chosen), gone, strict=True))
        if kind.controlled:
            control[kind.name] = _silhouettes(bank, renderer, views, masks[:, c], occupied, chosen, generator)
    for kind, shows in zip(game.kinds, np.moveaxis(masks, 1, 0), strict=True):
        if kind.display:
            removed[kind.name] = _other_displays(bank, shows, generator)
    pieces = {}
    for kind, shows in zip(game.kinds, np.moveaxis(masks, 1, 0), strict=True):
        if kind.movable and kind.region is not None:
            shown = np.flatnonzero(shows.any(axis=(1, 2)))
            pieces[kind.name] = pieces_moved(bank, renderer, views, kind.region, shown, generator)
    outlined = None
    walls = np.flatnonzero(masks[:, game.flags("movable")].any(axis=(1, 2, 3)))
    if walls.size:
        chosen = spread_out(walls, bank.environment, generator)
        outlined = Counterfactual(chosen, np.stack([outline(bank.frames[i], renderer, *views[i]) for i in chosen]))
    return _stack(removed) | _stack_pieces(pieces), _stack(control), outlined


def spread_out(
    frames: NDArray[np.int64], environment: NDArray[np.int32], generator: np.random.Generator, most: int = CHANGED
) -> NDArray[np.int64]:
    """At most `most` of `frames`, sorted: at random, and as equal a number from each environment as there are."""
    return np.sort(in_turn(frames, environment, generator)[:most])


def in_turn(
    frames: NDArray[np.int64], environment: NDArray[np.int32], generator: np.random.Generator
) -> NDArray[np.int64]:
    """All of `frames` at random, one of each environment before a second of any."""
    shuffled = generator.permutation(frames)
    labels, turn = environment[shuffled], np.zeros(len(shuffled), dtype=np.int64)
    for label in np.unique(labels):
        turn[labels == label] = np.arange(np.count_nonzero(labels == label))
    return shuffled[np.argsort(turn, kind="stable")]


def pieces_moved(
    bank: FrameBank,
    renderer: Renderer,
    views: Mapping[int, tuple[State, Masks]],
    region: str,
    shows: NDArray[np.int64],
    generator: np.random.Generator,
    most: int = CHANGED,
) -> list[tuple[int, Frames, BoolArray]]:
    """At most `most` frames with a piece of a region elsewhere, and where it was: at random, of those that allow it.

    An edit that does not show, of a face at the edge of the screen, is none.
    """
    pieces: list[tuple[int, Frames, BoolArray]] = []
    for i in in_turn(shows, bank.environment, generator):
        possible = list(renderer.edits(views[i][0], region, views[i][1]))
        for number in generator.permutation(len(possible)):
            edited, where = possible[number]
            frame = renderer.render(edited)
            if (frame != bank.frames[i]).any():
                pieces.append((int(i), frame, where))
                break
        if len(pieces) == most:
            break
    return sorted(pieces, key=lambda piece: piece[0])


def outline(frame: Frames, renderer: Renderer, state: State, visible: Masks) -> Frames:
    """A frame whose walls are painted with another background: their outline is what is left of them."""
    wall = visible.drawn[visible.names.index("wall")]
    elsewhere = renderer.render(renderer.without_drawn(renderer.with_other_background(state), ("wall",)))
    return np.where(wall[..., None], elsewhere, frame)


def _silhouettes(
    bank: FrameBank,
    renderer: Renderer,
    views: Mapping[int, tuple[State, Masks]],
    masks: BoolArray,
    occupied: BoolArray,
    chosen: NDArray[np.int64],
    generator: np.random.Generator,
) -> list[tuple[int, Frames]]:
    """The chosen frames with a class where it is, and its silhouette cut out of the background at a free place.

    `masks` (N, 64, 64) are the class's, and `occupied` (N, 64, 64) is where nothing may be cut out.
    """
    moved = []
    for i in chosen:
        place = move_silhouette(masks[i], occupied[i], generator)
        if place is not None:
            elsewhere = renderer.render(renderer.with_other_background(views[i][0]))
            moved.append((int(i), np.where(place[..., None], elsewhere, bank.frames[i])))
    return moved


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


def _other_displays(bank: FrameBank, masks: BoolArray, generator: np.random.Generator) -> list[tuple[int, Frames]]:
    """Frames with what another frame has painted in the place of `masks` (N, 64, 64), if there is another."""
    if not masks.any() or len(bank) == 1:
        return []
    shift = int(generator.integers(1, len(bank)))
    return [
        (i, np.where(masks[i][..., None], bank.frames[(i + shift) % len(bank)], bank.frames[i]))
        for i in spread_out(np.arange(len(bank)), bank.environment, generator)
    ]


def _stack(changed: dict[str, list[tuple[int, Frames]]]) -> dict[str, Counterfactual]:
    return {
        name: Counterfactual(np.array([i for i, _ in pairs], dtype=np.int64), np.stack([frame for _, frame in pairs]))
        for name, pairs in changed.items()
        if pairs
    }


def _stack_pieces(changed: dict[str, list[tuple[int, Frames, BoolArray]]]) -> dict[str, Counterfactual]:
    stacked = _stack({name: [(i, frame) for i, frame, _ in pieces] for name, pieces in changed.items()})
    return {
        name: replace(one, where=np.stack([where for _, _, where in changed[name]])) for name, one in stacked.items()
    }
