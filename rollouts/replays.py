"""What takes the last step of a failed episode again, in each game, to tell what ended it."""

from collections.abc import Callable, Mapping
from typing import Protocol

from rollouts.coinrun.hazards import CoinRunReplay
from rollouts.procgen_state import State


class Replay(Protocol):
    """Takes an episode's last step again, in environments of its own."""

    def parse(self, data: bytes) -> State:
        """Raises `StateError` for bytes that the game could not use."""
        ...

    def cause(self, state: State, action: int) -> str:
        """The hazard without which the episode goes on after this action, `several` or `unknown` if none alone is.

        Raises `StateError` for a state that the game could not use, and `InputError` if the episode goes on anyway.
        """
        ...


REPLAYS: Mapping[str, Callable[[], Replay]] = {"coinrun": CoinRunReplay}
