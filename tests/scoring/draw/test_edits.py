"""The picture of moved walls: two of each part, each as it is, moved, and painted over."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from rollouts.bank import FrameBank
from scoring.draw import edits


def test_two_of_each_part_of_walls_are_drawn(bank: FrameBank, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Figure] = []
    monkeypatch.setattr(edits, "save", lambda figure, path: kept.append(figure))
    edits.edits_figure(tmp_path / "edits.png", bank)
    (figure,) = kept
    kinds = [kind for kind in bank.options.rules.with_concepts().kinds if kind.movable]
    rows = np.array(figure.axes).reshape(len(kinds), 3 * edits.EACH)
    assert [row[0].get_title(loc="left") for row in rows] == [kind.words for kind in kinds]
    shown = np.array([[len(axis.images) for axis in row] for row in rows])
    assert shown[:5].sum() >= 4 * 3 * edits.EACH, "most parts can be moved in a small bank"
    for frame, moved, painted in (row[start : start + 3] for row in rows for start in (0, 3)):
        if frame.images:
            own = np.asarray(frame.images[0].get_array())
            assert (own != np.asarray(moved.images[0].get_array())).any()
            assert (own != np.asarray(painted.images[0].get_array())).any()
