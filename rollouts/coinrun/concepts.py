"""Kinds of CoinRun that are a part of what is drawn, or a group of it."""

import numpy as np

from rollouts.coinrun.state import ENEMY
from rollouts.masks import Mask, Masks, dilate
from rollouts.procgen_state import State

SURFACE_PIXELS = 2
"""Wall pixels this near to something that is not wall are surface."""
EDGE_PIXELS = 2
"""So far in from its border the edge of the screen reaches."""


def surface(wall: Mask) -> Mask:
    """Wall pixels (..., 64, 64) with a pixel of the frame that is not wall in the 5 x 5 around them."""
    return wall & dilate(~wall, SURFACE_PIXELS)


def screen_edge() -> Mask:
    """The border (64, 64) of the frame, whatever is there."""
    edge = np.ones((64, 64), dtype=bool)
    edge[EDGE_PIXELS:-EDGE_PIXELS, EDGE_PIXELS:-EDGE_PIXELS] = False
    return edge


def enemies_by_direction(state: State, masks: Masks) -> dict[str, Mask]:
    """Visible pixels (64, 64) of enemies that walk to the left and to the right, each with the trail nearest to it.

    An enemy looks where it walks: its picture is mirrored while it walks to the right. In the step in which it turns
    the picture is what counts, since that is what an agent sees.
    """
    regions = {name: np.zeros((64, 64), dtype=bool) for name in ("enemy_left", "enemy_right")}
    enemies = state.entities[(state.entities["type"] == ENEMY) & (state.entities["alpha"] > 0)]
    for thing in masks.objects:
        if thing.drawn not in ("enemy", "trail") or not len(enemies):
            continue
        entity = state.entities[thing.place]
        distance = np.hypot(enemies["x"] - entity["x"], enemies["y"] - entity["y"])
        regions["enemy_right" if enemies["is_reflected"][distance.argmin()] else "enemy_left"] |= thing.mask
    return regions
