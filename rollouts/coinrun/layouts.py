"""What a CoinRun level is to an agent: where things are when it begins, with or without what they look like.

Two levels are of one *layout* when they begin with the same grid and the same entities: type, place, velocity and size,
in whatever order. They begin with the same *picture* when, besides, every entity has the same image and theme, and the
level the same wall theme and background image. How far the background is shifted (`bg_pct_x`), which hardly two levels
share, is neither.
"""

import hashlib

import numpy as np

from rollouts.coinrun.state import NAME, OWN
from rollouts.procgen_state import Fields, State, read

KNOWN = {
    "easy": {
        100: (0.115, 0.041),
        200: (0.166, 0.077),
        300: (0.203, 0.098),
        1_000: (0.284, 0.131),
        3_000: (0.312, 0.183),
        10_000: (0.325, 0.224),
        30_000: (0.334, 0.261),
        100_000: (0.360, 0.297),
    },
    "hard": {
        100: (0.101, 0.000),
        200: (0.152, 0.000),
        300: (0.202, 0.000),
        1_000: (0.277, 0.001),
        3_000: (0.311, 0.002),
        10_000: (0.326, 0.003),
        30_000: (0.336, 0.009),
        100_000: (0.349, 0.028),
    },
}
"""By mode and number of training levels: shares of unseen levels with a layout, and with a picture, of one of these.

Of 2,048 levels, by `scripts/layouts.py`; docs/metrics.md has the intervals.
"""
_PLACED = ["type", "x", "y", "vx", "vy", "rx", "ry"]
_DRAWN = [*_PLACED, "image_type", "image_theme"]


def layout(state: State) -> bytes:
    """SHA-256 of the layout."""
    return hashlib.sha256(state.grid.tobytes() + _entities(state.entities, _PLACED)).digest()


def picture(state: State) -> bytes:
    """SHA-256 of the layout and the themes."""
    themes = np.array([state.own["wall_theme"], state.world["background_index"]], dtype="<i4")
    entities = _entities(state.entities, _DRAWN)
    return hashlib.sha256(state.grid.tobytes() + themes.tobytes() + entities).digest()


def _entities(entities: Fields, names: list[str]) -> bytes:
    """These fields of entities (n,), in an order of their own."""
    rows = np.stack([entities[name].astype(np.float64) for name in names], axis=1) + 0.0  # -0 is 0
    return rows[np.lexsort(rows.T[::-1])].tobytes()


def hashes(data: bytes) -> tuple[bytes, bytes]:
    """Layout and picture of a state that the game itself has just written: it is not checked."""
    state = read(data, NAME, OWN)
    return layout(state), picture(state)
