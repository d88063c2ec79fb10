"""What the rest of the program knows of a game: its kinds of things, what they mean to the agent, how they look."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rollouts.errors import InputError

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Kind:
    """A kind of thing that attribution may fall on; it has a mask in every frame.

    `sense` is what the game makes of it: 1 counts for the agent, -1 against it, 0 neither. The `headline` of the score
    may name it. A `removable` kind can be taken out of a frame; a `controlled` one has the control of that, its outline
    filled from another background at another place, and its single objects are followed into the next frame. The page
    takes all objects of a kind out `together`, or one by one. A `display` is no object but painted over the frame: it
    is not removed, but shows what it shows in another frame. A piece of a `movable` kind, a part of walls, can be moved
    by editing the level, and what is left of it is its outline when walls are painted as background. A `still` kind is
    at the same place in every frame.

    Its mask is that of what is drawn under the names `made_of` (its own by default), or the `part` of that which a
    function of masks (..., 64, 64) gives, or the `region` of the frame that the renderer finds in the state. `colour`
    and `dash` are those of its outline; `words` is what raters read for it and `key` the key that chooses it.
    """

    name: str
    colour: str
    words: str
    key: str
    sense: int = 0
    headline: bool = True
    removable: bool = True
    controlled: bool = True
    together: bool = False
    made_of: tuple[str, ...] = ()
    part: Callable[[BoolArray], BoolArray] | None = None
    region: str | None = None
    display: bool = False
    movable: bool = False
    still: bool = False
    dash: tuple[int, ...] = ()

    @property
    def drawn(self) -> tuple[str, ...]:
        """The names under which it is drawn."""
        return self.made_of or (self.name,)


@dataclass(frozen=True)
class Game:
    """One of procgen's games, as data.

    `drawn` names what masks tell apart. Of procgen's actions `actions` differ from one another; `moves` says what each
    does. An episode that is completed returns `completed_return`, any other nothing; `completed_words` say it of the
    agent. The clock cuts an episode after `most_steps`. `hazards` are what ends an episode otherwise. `guide` tells
    people who have never seen the game what is in it: pairs of a word and what there is to know of it. `kinds` are
    those of version 1 of the score, `concepts` those of version 2; nothing where the game has not been given any.
    """

    name: str
    title: str
    modes: tuple[str, ...]
    actions: tuple[int, ...]
    moves: Mapping[str, tuple[int, ...]]
    completed_return: float
    completed_words: str
    most_steps: int
    hazards: tuple[str, ...]
    drawn: tuple[str, ...]
    kinds: tuple[Kind, ...]
    guide: tuple[tuple[str, str], ...] = ()
    concepts: tuple[Kind, ...] = ()

    def with_concepts(self) -> "Game":
        """The game whose kinds are its concepts; raises `InputError` where it has none."""
        if not self.concepts:
            raise InputError(f"{self.title} has no concepts: score it with version 1.")
        return replace(self, kinds=self.concepts)

    @property
    def widest(self) -> "Game":
        """The game with all the kinds that any version of the score looks at."""
        missing = [kind for kind in self.kinds if kind.name not in {concept.name for concept in self.concepts}]
        return replace(self, kinds=(*self.concepts, *missing)) if self.concepts else self

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The kinds' names, in the order of every array over kinds."""
        return tuple(kind.name for kind in self.kinds)

    def index(self, name: str) -> int:
        """A kind's place among the kinds."""
        return self.names.index(name)

    def kind(self, name: str) -> Kind:
        return self.kinds[self.index(name)]

    def removed_with(self, kind: Kind) -> str:
        """The kind whose removal takes this one away: the first that is drawn under the same names, or itself."""
        if not kind.removable:
            return kind.name
        return next(other.name for other in self.kinds if other.removable and other.drawn == kind.drawn)

    def named(self, flag: str) -> tuple[str, ...]:
        """The kinds for which a flag holds, such as `headline`."""
        return tuple(kind.name for kind in self.kinds if getattr(kind, flag))

    def flags(self, flag: str) -> BoolArray:
        """The same as an array (kinds,)."""
        return np.array([bool(getattr(kind, flag)) for kind in self.kinds])

    @cached_property
    def senses(self) -> NDArray[np.int64]:
        """(kinds,)"""
        return np.array([kind.sense for kind in self.kinds], dtype=np.int64)

    @property
    def has_regions(self) -> bool:
        """Whether masks of its kinds need what the renderer finds in the state."""
        return any(kind.region for kind in self.kinds)

    def kind_masks(self, drawn: BoolArray, regions: Mapping[str, BoolArray] | None = None) -> BoolArray:
        """Masks (..., drawn, 64, 64) of what is drawn, and regions (..., 64, 64) -> masks (..., kinds, 64, 64)."""
        masks = []
        for kind in self.kinds:
            if kind.region is not None:
                assert regions is not None
                masks.append(regions[kind.region])
                continue
            own = drawn[..., [self.drawn.index(name) for name in kind.drawn], :, :].any(axis=-3)
            masks.append(own if kind.part is None else kind.part(own))
        return np.stack(masks, axis=-3)

    def object_mask(self, drawn: BoolArray) -> BoolArray:
        """Masks (..., drawn, 64, 64) of what is drawn -> where some object is (..., 64, 64)."""
        painted = {name for kind in self.kinds if kind.display for name in kind.drawn}
        return drawn[..., [name not in painted for name in self.drawn], :, :].any(axis=-3)

    def displays(self, masks: BoolArray) -> BoolArray:
        """Masks (..., kinds, 64, 64) -> where something is painted over the frame (..., 64, 64)."""
        return masks[..., self.flags("display"), :, :].any(axis=-3)
