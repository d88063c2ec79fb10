"""Masks move down and take nothing in from above."""

import numpy as np

from scoring.validation.shifted_masks import shifted


def test_masks_are_shifted_down_and_empty_above() -> None:
    masks = np.zeros((1, 1, 64, 64), dtype=bool)
    masks[0, 0, 10, 3] = masks[0, 0, 60, 3] = True
    assert np.argwhere(shifted(masks, 5)[0, 0]).tolist() == [[15, 3]]
