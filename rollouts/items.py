"""What can be taken out of a frame at once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rollouts.game import Game
from rollouts.masks import Mask, Thing
from rollouts.procgen_state import State


@dataclass(frozen=True)
class Item:
    """What is taken out of a frame at once: an object, or all of a kind. `mask` (64, 64) is where it is.

    `things` is empty for what only a whole class of it is known of.
    """

    kind: str
    things: tuple[Thing, ...]
    mask: Mask


def items(game: Game, state: State, things: Sequence[Thing]) -> list[Item]:
    """The things of a frame as they are taken out.

    All of a kind together where its kind says so; else object by object, with what belongs to it: a thing that is drawn
    under a kind's second name goes with the nearest one that is drawn under its first.
    """
    owner = {name: kind for kind in game.kinds if kind.part is None for name in kind.drawn}
    grouped: dict[tuple[str, object], list[Thing]] = {}
    for thing in things:
        kind = owner[thing.drawn]
        place: object = None if kind.together else thing.place
        if len(kind.drawn) > 1:
            place = _nearest(state, thing, [other for other in things if other.drawn == kind.drawn[0]])
        grouped.setdefault((kind.name, place), []).append(thing)
    return [
        Item(name, tuple(group), np.logical_or.reduce([thing.mask for thing in group]))
        for (name, _), group in grouped.items()
    ]


def _nearest(state: State, thing: Thing, others: Sequence[Thing]) -> int | None:
    """The place of the entity among `others` that is nearest to an entity, itself perhaps; None without any."""
    own = state.entities[thing.place]
    x, y = state.entities["x"] - own["x"], state.entities["y"] - own["y"]
    places = [other.place for other in others if isinstance(other.place, int)]
    return min(places, key=lambda place: float(x[place] ** 2 + y[place] ** 2), default=None)
