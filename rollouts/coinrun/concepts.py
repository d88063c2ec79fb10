"""Kinds of CoinRun that are a part of what is drawn."""

from rollouts.masks import Mask, dilate

SURFACE_PIXELS = 2
"""Wall pixels this near to something that is not wall are surface."""


def surface(wall: Mask) -> Mask:
    """Wall pixels (..., 64, 64) with a pixel of the frame that is not wall in the 5 x 5 around them."""
    return wall & dilate(~wall, SURFACE_PIXELS)
