"""What reads, edits and draws the states of each game."""

from collections.abc import Callable, Mapping

from rollouts.coinrun.masks import CoinRunRenderer
from rollouts.masks import Renderer

RENDERERS: Mapping[str, Callable[[], Renderer]] = {"coinrun": CoinRunRenderer}
