"""What a feature may show, as raters choose it; a rater may say something else instead."""

from dataclasses import dataclass

from rollouts.game import Game


@dataclass(frozen=True)
class Choice:
    """A kind of thing, or none or several of them: its name as it is stored, its words on the page, and its key."""

    name: str
    words: str
    key: str


SEVERAL = Choice("several", "several of these", "m")
NOTHING = Choice("nothing", "nothing in particular", "n")


def choices(game: Game) -> tuple[Choice, ...]:
    """The kinds of things in a game, several of them, and nothing."""
    return (*(Choice(kind.name, kind.words, kind.key) for kind in game.kinds), SEVERAL, NOTHING)
