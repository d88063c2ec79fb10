"""What the features made by hand sit on."""

import numpy as np
import pytest

from rollouts.bank import FrameBank
from scoring.evidence import Evidence
from scoring.validation.by_hand import by_hand


@pytest.mark.usefixtures("every_class_is_eligible")
def test_edges_and_constants_have_their_kappa_on_every_class(bank: FrameBank, evidence: Evidence) -> None:
    kappa = np.array(by_hand(bank, evidence).details.kappa, dtype=float)
    assert kappa.shape == (3, len(evidence.game.kinds))
    inside = np.array([kind.name not in ("screen_edge", "velocity") for kind in evidence.game.kinds])
    assert np.nanmax(np.abs(kappa[1, inside])) < 1e-6, "a constant map is at chance, but where the frame is padded"
    assert kappa[0, evidence.game.index("surface")] > 0.05, "edges are where surfaces are"
