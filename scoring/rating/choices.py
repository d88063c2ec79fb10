"""What a feature may show, as raters choose it; a rater may say something else instead."""

from dataclasses import dataclass

from rollouts.game import Game, Kind
from scoring.rules import Version


@dataclass(frozen=True)
class Choice:
    """A kind of thing, or none or several of them: its name as it is stored, its words on the page, and its key."""

    name: str
    words: str
    key: str


SEVERAL = Choice("several", "several of these", "m")
NOTHING = Choice("nothing", "nothing in particular", "n")


def choices(game: Game, version: Version) -> tuple[Choice, ...]:
    """The kinds of things that a version of the score looks for in a game, several of them, and nothing."""
    return (*(Choice(kind.name, kind.words, kind.key) for kind in offered(game, version)), SEVERAL, NOTHING)


def guide(game: Game, version: Version) -> tuple[tuple[str, str], ...]:
    """What people are told of the game, but for kinds of things of which the version offers no choice."""
    kept = {kind.words for kind in offered(game, version)}
    left_out = {kind.words for kind in (*game.kinds, *game.concepts)} - kept
    return tuple((word, sentence) for word, sentence in game.guide if word not in left_out)


def offered(game: Game, version: Version) -> tuple[Kind, ...]:
    """Kinds that may name a feature; in version 1 the others as well, which raters have been offered from the start."""
    kinds = version.game(game).kinds
    return tuple(kind for kind in kinds if kind.headline) if version.concepts else kinds
