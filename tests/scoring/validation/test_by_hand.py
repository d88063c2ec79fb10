"""What the features made by hand sit on."""

import numpy as np
import pytest

from rollouts.bank import FrameBank
from scoring.evidence import Evidence
from scoring.validation.base import game_of
from scoring.validation.by_hand import by_hand
from scoring.validation.controls import HANDMADE


@pytest.mark.usefixtures("every_class_is_eligible")
def test_edges_and_constants_have_their_kappa_on_every_class(bank: FrameBank, evidence: Evidence) -> None:
    kappa = np.array(by_hand(bank, evidence).details.kappa, dtype=float)
    assert kappa.shape == (len(HANDMADE), len(game_of(bank).kinds))
    constant = kappa[HANDMADE.index("constant"), ~game_of(bank).flags("still")]
    assert np.nanmax(np.abs(constant)) < 1e-6, "a constant map is at chance, but where the frame is padded"
    assert kappa[0, game_of(bank).index("top")] > 0.05, "edges are where faces of walls are"
