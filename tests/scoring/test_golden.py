"""The numbers that each version of the score gives; a change of them is a new version (`docs/score.md`)."""

from pathlib import Path

import pytest

from agents.checkpoint import load_agent
from rollouts.bank import FrameBank
from scoring.evidence import EVIDENCE, Evidence
from scoring.identity import CODE
from scoring.metrics.statistics import Number
from scoring.pipeline import score
from scoring.settings import ScoreConfig

AGENT = Path(__file__).parents[2] / "zoo/compact-hard-all.safetensors"
GRADED = (0.129743, 0.137940, 0.131897, 0.139452, 0.131851, 0.151495)
"""Of the factorisation on the pool and of five on resamples of it."""


def test_the_numbers_here_are_of_a_version_of_the_code() -> None:
    """Whoever changes one of them raises one of the two versions, so that finished scores are made again."""
    assert (EVIDENCE, CODE) == (1, 1)


@pytest.mark.parametrize(
    ("features", "fraction", "graded", "lift", "localisation", "orbay"),
    [
        ("nmf", (0, 0, 0), (0.137063, 0.109599, 0.158773), 0.513196, 0.524012, (0.361592, 0.352007)),
        ("channels", (1 / 16, 1 / 32, 1 / 8), (0.147778, 0.132750, 0.161661), 0.345070, 0.335443, (0.362707, 0.355887)),
    ],
)
def test_version_1(
    bank: FrameBank,
    evidence: Evidence,
    features: str,
    fraction: tuple[float, ...],
    graded: tuple[float, ...],
    lift: float,
    localisation: float,
    orbay: tuple[float, float],
) -> None:
    record = score(load_agent(AGENT), bank, evidence, ScoreConfig(version=1, features=features)).record
    headline, diagnostics = record.headline, record.diagnostics

    def numbers(number: Number) -> list[float | None]:
        return [number.value, number.low, number.high]

    # Processors round differently; the factorisation follows that a little, the fraction not at all.
    assert numbers(headline.interpretable_fraction) == pytest.approx(fraction, abs=1e-9)
    assert numbers(headline.graded_score) == pytest.approx(graded, rel=5e-3)
    assert diagnostics.lift.value == pytest.approx(lift, rel=2e-2)
    assert diagnostics.localisation.value == pytest.approx(localisation, rel=2e-2)
    through_boxes = diagnostics.orbay2020.rf_box
    assert (through_boxes.value, through_boxes.chance) == pytest.approx(orbay, rel=2e-3)
    if features == "nmf":
        assert diagnostics.factorisation is not None
        assert diagnostics.factorisation.graded_score == pytest.approx(GRADED, rel=5e-3)
        assert headline.classes == {}
    else:
        assert diagnostics.factorisation is None
        assert headline.classes == {"surface": 1}


GRADED_2 = (0.196014, 0.218795, 0.197737, 0.193644, 0.215562, 0.198620)
"""Of the factorisations of version 2."""


@pytest.mark.parametrize(
    ("features", "fraction", "graded", "lift", "localisation"),
    [
        ("nmf", (0, 0, 0), (0.203395, 0.172518, 0.222130), 1.384335, 1.133486),
        ("channels", (0, 0, 1 / 32), (0.192628, 0.168009, 0.208733), 1.203009, 1.035996),
    ],
)
def test_version_2(
    bank: FrameBank,
    evidence: Evidence,
    features: str,
    fraction: tuple[float, ...],
    graded: tuple[float, ...],
    lift: float,
    localisation: float,
) -> None:
    scored = score(load_agent(AGENT), bank, evidence, ScoreConfig(features=features))
    headline, diagnostics = scored.record.headline, scored.record.diagnostics
    number = headline.interpretable_fraction
    assert [number.value, number.low, number.high] == pytest.approx(fraction, abs=1e-9)
    assert [headline.graded_score.value, headline.graded_score.low, headline.graded_score.high] == pytest.approx(
        graded, rel=5e-3
    )
    assert diagnostics.lift.value == pytest.approx(lift, rel=2e-2)
    assert diagnostics.localisation.value == pytest.approx(localisation, rel=2e-2)
    assert headline.eligible == ["top", "left", "agent", "velocity", "end_left", "foot_right"]
    descriptions = scored.features.descriptions
    if features == "nmf":
        assert diagnostics.factorisation is not None
        assert diagnostics.factorisation.graded_score == pytest.approx(GRADED_2, rel=5e-3)
        assert diagnostics.components is not None
        assert diagnostics.components.chosen in (4, 6, 8)
        assert descriptions[1] is not None
        assert descriptions[1].kappa == pytest.approx(0.174901, rel=2e-2)
    else:
        mixtures = [
            {scored.game.names[c] for c in one.members} for one in descriptions if one is not None and one.mixture
        ]
        assert mixtures == [{"left", "top"}] * 2
        assert scored.features.mixtures == 2
