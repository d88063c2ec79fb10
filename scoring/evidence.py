"""What a bank shows, whoever is scored on it: masks of every class and frames with a class taken away."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.masks import Masks, Renderer
from rollouts.procgen_state import State
from rollouts.progress import Update, silent
from rollouts.renderers import RENDERERS

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


@dataclass(frozen=True)
class Tracks:
    """M single objects, each in a frame and in the next frame, found by its place in the state.

    `index` (M,) is the frame's place in `Evidence.following`, `kind` (M,) the object's among the game's kinds; `before`
    and `after` (M, 64, 64) are the object's visible pixels in the frame and in the next one.
    """

    index: NDArray[np.int64]
    kind: NDArray[np.int64]
    before: BoolArray
    after: BoolArray


@dataclass(frozen=True)
class Evidence:
    """`masks` (N, C, 64, 64), undilated, for the kinds of `game`; `objects` (N, 64, 64) is every object there is.

    `following` is one step after some of the bank's frames, and `tracks` follows single objects from those into it;
    None for a bank without next frames. `removed[c]` shows frames that have class c without it (velocity: with another
    frame's velocity painted); `control[c]` shows them with as many pixels of background changed instead, in the same
    shape. A part of walls is not taken out: `removed[c]` shows frames with a piece of it elsewhere, and `outlined`
    frames with all walls painted as another background, so that nothing is left but their outline (None where the game
    has no such kinds). Each is of at most `CHANGED` frames, as equal a number from each environment as there are.
    """

    game: Game
    masks: BoolArray
    objects: BoolArray
    following: Counterfactual | None
    tracks: Tracks | None
    removed: dict[str, Counterfactual]
    control: dict[str, Counterfactual]
    outlined: Counterfactual | None

    def with_kinds(self, game: Game) -> "Evidence":
        """The same of another set of kinds; raises `InputError` where one of them was not gathered."""
        if game == self.game:
            return self
        missing = [name for name in game.names if name not in self.game.names]
        if missing:
            raise InputError(f"What the bank shows was gathered without {', '.join(missing)}; gather it again.")
        tracks = self.tracks
        if tracks is not None:
            kept = np.isin(tracks.kind, [self.game.index(name) for name in game.names])
            kind = [game.index(self.game.names[c]) for c in tracks.kind[kept]]
            tracks = Tracks(tracks.index[kept], np.array(kind, dtype=np.int64), tracks.before[kept], tracks.after[kept])
        masks = self.masks[:, [self.game.index(name) for name in game.names]]
        return replace(self, game=game, masks=masks, tracks=tracks)

    @property
    def pixels(self) -> NDArray[np.int64]:
        """Visible pixels (N, C) of each class."""
        return self.masks.sum(axis=(2, 3))

    @property
    def prevalence(self) -> dict[str, float]:
        """Mean share of the frame that each class covers, and all objects together."""
        shares = self.masks.mean(axis=(0, 2, 3))
        return dict(zip(self.game.names, map(float, shares), strict=True)) | {"objects": float(self.objects.mean())}


def gather(bank: FrameBank, seed: int = 0, progress: Update = silent, game: Game | None = None) -> Evidence:
    """Render the bank's states again: masks, and frames without each class. `progress` is told of each frame.

    The kinds are those of `game`, by default all that any version of the score looks at.
    Raises `BankError` when another build of the renderer drew the bank, `StateError` for a state it cannot read.
    """
    bank.check_renderer()
    game = game or bank.options.rules.widest
    renderer = RENDERERS[game.name]()
    generator = np.random.default_rng(seed)
    followed = set(spread_out(np.array(_continued(bank, renderer), dtype=np.int64), bank.environment, generator))
    masks = np.zeros((len(bank), len(game.kinds), 64, 64), dtype=bool)
    objects = np.zeros((len(bank), 64, 64), dtype=bool)
    tracked: list[tuple[int, int, BoolArray, BoolArray]] = []
    views: list[tuple[State, Masks]] = []
    for i, data in enumerate(bank.states):
        state = renderer.parse(data)
        visible = renderer.masks(state)
        views.append((state, visible))
        if i in followed and bank.next_states is not None:
            later = renderer.masks(renderer.parse(bank.next_states[i]))
            tracked += [(i, *pair) for pair in _follow(game, visible, later)]
        drawn = visible.drawn
        regions = renderer.regions(state, visible) if game.has_regions else None
        masks[i], objects[i] = game.kind_masks(drawn, regions), game.object_mask(drawn)
        progress(1)
    removed, control = {}, {}
    displays = game.displays(masks)
    for c, kind in enumerate(game.kinds):
        if not kind.removable or game.removed_with(kind) != kind.name:
            continue
        chosen = spread_out(np.flatnonzero(masks[:, c].any(axis=(1, 2))), bank.environment, generator)
        states = [renderer.parse(bank.states[i]) for i in chosen]
        gone = [renderer.render(renderer.without_drawn(state, kind.drawn)) for state in states]
        removed[kind.name] = list(zip(map(int, chosen), gone, strict=True))
        if kind.controlled:
            control[kind.name] = _moved(bank, renderer, masks[:, c], objects | displays, chosen, generator)
    for kind, shows in zip(game.kinds, np.moveaxis(masks, 1, 0), strict=True):
        if kind.display:
            removed[kind.name] = _other_displays(bank, shows, generator)
    moved, outlined = {}, None
    walls = np.flatnonzero(masks[:, game.flags("movable")].any(axis=(1, 2, 3)))
    for c, kind in enumerate(game.kinds):
        if kind.movable and kind.region is not None:
            shows = np.flatnonzero(masks[:, c].any(axis=(1, 2)))
            moved[kind.name] = _pieces_moved(bank, renderer, views, kind.region, shows, generator)
    if walls.size:
        chosen = spread_out(walls, bank.environment, generator)
        outlined = Counterfactual(chosen, np.stack([_outline(bank.frames[i], renderer, *views[i]) for i in chosen]))
    following, tracks = None, None
    if bank.next_frames is not None:
        index = np.array(sorted(followed), dtype=np.int64)
        following, tracks = Counterfactual(index, bank.next_frames[index]), _tracks(tracked, index)
    changed = _stack(removed) | _stack_pieces(moved)
    return Evidence(game, masks, objects, following, tracks, changed, _stack(control), outlined)


def masks_of(bank: FrameBank, game: Game, progress: Update = silent) -> BoolArray:
    """Masks (N, C, 64, 64) of the kinds of a game alone, as `gather` has them; it raises the same errors."""
    bank.check_renderer()
    renderer = RENDERERS[game.name]()
    masks = np.zeros((len(bank), len(game.kinds), 64, 64), dtype=bool)
    for i, data in enumerate(bank.states):
        state = renderer.parse(data)
        visible = renderer.masks(state)
        regions = renderer.regions(state, visible) if game.has_regions else None
        masks[i] = game.kind_masks(visible.drawn, regions)
        progress(1)
    return masks


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


def _pieces_moved(
    bank: FrameBank,
    renderer: Renderer,
    views: Sequence[tuple[State, Masks]],
    region: str,
    shows: NDArray[np.int64],
    generator: np.random.Generator,
) -> list[tuple[int, Frames, BoolArray]]:
    """Frames with a piece of a region elsewhere, and where it was: at random, of frames in which one can be moved.

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
        if len(pieces) == CHANGED:
            break
    return sorted(pieces, key=lambda piece: piece[0])


def _outline(frame: Frames, renderer: Renderer, state: State, visible: Masks) -> Frames:
    """A frame whose walls are painted with another background: their outline is what is left of them."""
    wall = visible.drawn[visible.names.index("wall")]
    elsewhere = renderer.render(renderer.without_drawn(renderer.with_other_background(state), ("wall",)))
    return np.where(wall[..., None], elsewhere, frame)


def _continued(bank: FrameBank, renderer: Renderer) -> list[int]:
    """Frames whose next frame is of the same episode."""
    if bank.next_states is None:
        return []
    times = [
        [renderer.parse(data).episode["cur_time"] for data in states] for states in (bank.states, bank.next_states)
    ]
    return [i for i, (now, after) in enumerate(zip(*times, strict=True)) if after == now + 1]


def _moved(
    bank: FrameBank,
    renderer: Renderer,
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
            elsewhere = renderer.render(renderer.with_other_background(renderer.parse(bank.states[i])))
            moved.append((int(i), np.where(place[..., None], elsewhere, bank.frames[i])))
    return moved


def _follow(game: Game, visible: Masks, following: Masks) -> list[tuple[int, BoolArray, BoolArray]]:
    """Class and pixels, before and after, of each object that is visible both times."""
    followed = game.named("controlled")
    later = {(thing.drawn, thing.place): thing.mask for thing in following.objects if thing.drawn in followed}
    return [
        (game.index(thing.drawn), thing.mask, later[thing.drawn, thing.place])
        for thing in visible.objects
        if (thing.drawn, thing.place) in later
    ]


def _tracks(tracked: list[tuple[int, int, BoolArray, BoolArray]], followed: NDArray[np.int64]) -> Tracks:
    frame, kind = (np.array([track[part] for track in tracked], dtype=np.int64) for part in (0, 1))
    before, after = (np.array([track[part] for track in tracked], dtype=bool).reshape(-1, 64, 64) for part in (2, 3))
    return Tracks(np.searchsorted(followed, frame), kind, before, after)


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
