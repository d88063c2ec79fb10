"""Masks of what is in a frame, whatever the game."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rollouts.game import Game
from rollouts.procgen_state import State

Mask = NDArray[np.bool_]
Frame = NDArray[np.uint8]


@dataclass(frozen=True)
class Thing:
    """One object: under which name it is drawn, where it is in the state, and the pixels (64, 64) it is in front in.

    `place` is the index of an entity, or a cell (x, y) of the grid; walls together and velocity have none.
    """

    drawn: str
    place: int | tuple[int, int] | None
    mask: Mask


@dataclass(frozen=True)
class Masks:
    """Every visible object of a frame, from back to front; no pixel belongs to two. `names` are all there could be."""

    objects: tuple[Thing, ...]
    names: tuple[str, ...]

    @property
    def drawn(self) -> Mask:
        """(names, 64, 64)"""
        result = np.zeros((len(self.names), 64, 64), dtype=bool)
        for thing in self.objects:
            result[self.names.index(thing.drawn)] |= thing.mask
        return result

    @property
    def union(self) -> Mask:
        """(64, 64): some object."""
        return self.drawn.any(axis=0)


class Renderer(Protocol):
    """A game's states read, edited and drawn, in an environment of its own."""

    def parse(self, data: bytes) -> State:
        """Raises `StateError` for bytes that the game could not use."""
        ...

    def render(self, state: State) -> Frame:
        """The frame (64, 64, 3) that the game shows in this state. Raises `StateError` where it could not."""
        ...

    def masks(self, state: State) -> Masks:
        """Every object that shows in this state's frame."""
        ...

    def regions(self, state: State, masks: Masks) -> dict[str, Mask]:
        """The regions (64, 64) of this state's frame that kinds of the game name, of its `masks`."""
        ...

    def edits(self, state: State, region: str, masks: Masks) -> Iterable[tuple[State, Mask]]:
        """States in which a piece of a region is elsewhere, and the pixels (64, 64) that the piece was seen in."""
        ...

    def without(self, state: State, objects: Iterable[Thing]) -> State:
        """The state with these objects hidden; what they covered shows, and the game's own course is not changed."""
        ...

    def without_drawn(self, state: State, names: Iterable[str]) -> State:
        """The state with everything hidden that is drawn under these names, what is behind others included."""
        ...

    def with_other_background(self, state: State) -> State:
        """The same state drawn with another background picture."""
        ...


def kind_masks(renderer: Renderer, game: Game, state: State, visible: Masks) -> NDArray[np.bool_]:
    """Masks (kinds, 64, 64) of the game's kinds in a state, whose masks are `visible`."""
    return game.kind_masks(visible.drawn, renderer.regions(state, visible) if game.has_regions else None)


def dilate(mask: Mask, pixels: int) -> Mask:
    """The mask (..., 64, 64) widened by `pixels` in every direction, diagonals included."""
    # Here, and not above: a game's table is read by trainings, which run where there is no SciPy.
    from scipy.ndimage import maximum_filter

    if pixels == 0:
        return mask
    size = (1,) * (mask.ndim - 2) + (2 * pixels + 1,) * 2
    return np.asarray(maximum_filter(mask, size, mode="constant"))
