"""What a bank shows, whoever is scored on it: masks of every class and frames with a class taken away."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.masks import Masks, Renderer, kind_masks
from rollouts.procgen_state import State
from rollouts.progress import Update, silent
from rollouts.renderers import renderer_of
from scoring.changes import Counterfactual, changed_frames, spread_out

EVIDENCE = 1
"""The evidence's version: raised with any change by which the same bank gives other masks or other changed frames."""

BoolArray = NDArray[np.bool_]
Frames = NDArray[np.uint8]


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
    Raises `BankError` and `StateError` as `renderer_of` does.
    """
    game = game or bank.options.rules.widest
    renderer = renderer_of(bank)
    generator = np.random.default_rng(seed)
    followed = set(spread_out(np.array(_continued(bank, renderer), dtype=np.int64), bank.environment, generator))
    masks = np.zeros((len(bank), len(game.kinds), 64, 64), dtype=bool)
    objects = np.zeros((len(bank), 64, 64), dtype=bool)
    tracked: list[tuple[int, int, BoolArray, BoolArray]] = []
    views: dict[int, tuple[State, Masks]] = {}
    for i, data in enumerate(bank.states):
        state = renderer.parse(data)
        visible = renderer.masks(state)
        views[i] = state, visible
        if i in followed and bank.next_states is not None:
            later = renderer.masks(renderer.parse(bank.next_states[i]))
            tracked += [(i, *pair) for pair in _follow(game, visible, later)]
        masks[i] = kind_masks(renderer, game, state, visible)
        objects[i] = game.object_mask(visible.drawn)
        progress(1)
    removed, control, outlined = changed_frames(bank, renderer, game, views, masks, objects, generator)
    following, tracks = None, None
    if bank.next_frames is not None:
        index = np.array(sorted(followed), dtype=np.int64)
        following, tracks = Counterfactual(index, bank.next_frames[index]), _tracks(tracked, index)
    return Evidence(game, masks, objects, following, tracks, removed, control, outlined)


def masks_of(bank: FrameBank, game: Game, progress: Update = silent) -> BoolArray:
    """Masks (N, C, 64, 64) of the kinds of a game alone, as `gather` has them; it raises the same errors."""
    renderer = renderer_of(bank)
    masks = np.zeros((len(bank), len(game.kinds), 64, 64), dtype=bool)
    for i, data in enumerate(bank.states):
        state = renderer.parse(data)
        masks[i] = kind_masks(renderer, game, state, renderer.masks(state))
        progress(1)
    return masks


def _continued(bank: FrameBank, renderer: Renderer) -> list[int]:
    """Frames whose next frame is of the same episode."""
    if bank.next_states is None:
        return []
    times = [
        [renderer.parse(data).episode["cur_time"] for data in states] for states in (bank.states, bank.next_states)
    ]
    return [i for i, (now, after) in enumerate(zip(*times, strict=True)) if after == now + 1]


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
