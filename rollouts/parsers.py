"""What reads the states of each game. Every state that comes out of a file goes through it before procgen has it."""

from collections.abc import Callable, Mapping

from rollouts.coinrun.state import parse
from rollouts.procgen_state import State

PARSERS: Mapping[str, Callable[[bytes], State]] = {"coinrun": parse}
"""Raises `StateError` for bytes that the game could not use."""
