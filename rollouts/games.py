"""Every game there is, by name: a new one is a folder with a table, and a line here."""

from collections.abc import Mapping

from rollouts.coinrun.table import COINRUN
from rollouts.errors import InputError
from rollouts.game import Game

GAMES: Mapping[str, Game] = {game.name: game for game in (COINRUN,)}


def game_named(name: str) -> Game:
    """Raises `InputError` for a game that is not there."""
    if name not in GAMES:
        raise InputError(f"game is '{name}'; it can be {', '.join(GAMES)}.")
    return GAMES[name]
