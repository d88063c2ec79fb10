"""The kinds that the page's definitions name; their sentences are `assets/version-NUMBER.html`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rollouts.game import Game, Kind
from scoring.draw.words import listed

FIXED: dict[int, Callable[[Kind], bool]] = {
    1: lambda kind: not kind.removable,
    2: lambda kind: kind.movable or kind.still,
}
"""By the score's version, the kinds of which the cut-off `fixed` is asked in place of `kappa`."""


@dataclass(frozen=True)
class Named:
    """Kinds of the headline in words: those of the cut-off `fixed`, those at the same place in every frame, those that
    are painted over the frame, and those to which the game gives a sense. `files` are the names that files have.
    """

    fixed: str
    still: str
    displays: str
    senses: str
    files: str


def named(game: Game, version: int) -> Named:
    """Of a game whose kinds are those of the version."""
    headline = [kind for kind in game.kinds if kind.headline]
    return Named(
        grouped([kind for kind in headline if FIXED[version](kind)]),
        grouped([kind for kind in headline if kind.still]),
        grouped([kind for kind in headline if kind.display]),
        senses(headline),
        "; ".join(f"{kind.name}: {kind.words}" for kind in game.kinds if kind.name != kind.words),
    )


def grouped(kinds: Sequence[Kind]) -> str:
    """'parts of walls, the player and velocity squares': the movable kinds are called parts of walls."""
    walls = ["parts of walls"] if any(kind.movable for kind in kinds) else []
    return listed(walls + [kind.words for kind in kinds if not kind.movable])


def senses(kinds: Sequence[Kind]) -> str:
    """'coin for the agent; saw, enemy and lava against it'"""
    words = {1: "for the agent", -1: "against it"}
    by_sense = {sense: [kind.words for kind in kinds if kind.sense == sense] for sense in words}
    return "; ".join(f"{listed(by_sense[sense])} {word}" for sense, word in words.items() if by_sense[sense])
