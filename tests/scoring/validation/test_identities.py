"""The identities hold on a small bank too."""

from pathlib import Path

import pytest

from agents.checkpoint import load_agent
from rollouts.bank import FrameBank
from scoring.evidence import Evidence
from scoring.explain.methods import attribute
from scoring.validation.base import explained, judged
from scoring.validation.identities import identities


@pytest.mark.usefixtures("every_class_is_eligible")
def test_identities_hold(bank: FrameBank, evidence: Evidence) -> None:
    agent = load_agent(Path(__file__).parents[3] / "zoo/compact-hard-all.safetensors")
    subject = explained(agent, bank, evidence, steps=4)
    few, many = (attribute(agent.network, "2b", bank.frames[:16], steps=steps) for steps in (32, 320))
    outcome = identities(judged(subject, "channels"), few, many)
    assert {check.name for check in outcome.checks if not check.passed} == set()
