"""The terms of the score, worked out again feature by feature."""

import numpy as np
import pytest

from scoring.subject import Subject
from scoring.validation.base import judged
from scoring.validation.levels import Level, Terms, at_level, channel_levels, levels, terms

SENSES = {"coin": 1, "saw": -1, "enemy": -1, "lava": -1, "crate": 0}


def test_terms_by_a_loop_over_features_and_kinds(subject: Subject) -> None:
    scored = judged(subject, "channels")
    kappa, causal, sign = (np.nan_to_num(a) for a in (scored.verdict.kappa, scored.verdict.causal, scored.verdict.sign))
    energies = scored.measured.energies
    allowed = [name for name in SENSES if subject.eligible[subject.game.index(name)]]
    assert len(allowed) >= 2
    best, effect, agreement, weight = [], [], 0.0, 0.0
    for k in range(len(kappa)):
        if energies.share()[k] < 0.001:
            continue
        of = {name: kappa[k, subject.game.index(name)] for name in allowed}
        first = max(of, key=lambda name: of[name])
        best.append(of[first])
        effect.append(causal[k, subject.game.index(first)])
        for name in allowed:
            c = subject.game.index(name)
            on_kind = energies.energy()[k, c] * energies.share()[k] if SENSES[name] else 0
            agreement += on_kind * SENSES[name] * sign[k, c]
            weight += on_kind
    result = terms(scored)
    assert result.kappa == pytest.approx(np.mean(best))
    assert result.causal == pytest.approx(np.mean(effect))
    assert result.sign == pytest.approx(agreement / weight)
    assert result.graded == pytest.approx(scored.verdict.grades.mean())
    assert channel_levels([subject])["kappa"] == (pytest.approx(np.mean(best)), 0)


def test_a_level_is_mean_and_deviation_and_allows_two_deviations() -> None:
    networks = [Terms(graded=0.1, kappa=k, sign=-0.5, causal=0.0) for k in (0.0, 0.2)]
    assert levels(networks) == {
        "kappa": (pytest.approx(0.1), pytest.approx(0.1)),
        "sign": (-0.5, 0),
        "causal": (0, 0),
        "graded": (pytest.approx(0.1), pytest.approx(0)),
    }
    level = Level(0.25, 0.125)
    assert at_level("a", 0.5, level, "").passed
    assert not at_level("a", 0.51, level, "").passed
    assert at_level("a", 0.5, level, str(level)).note == "0.250 ± 0.125"
