"""A small bank on which every class counts, and an untrained network on it."""

import pytest

from agents.checkpoint import untrained_agent
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from scoring.evidence import Evidence
from scoring.subject import Subject
from scoring.validation.base import explained


@pytest.fixture
def every_class_is_eligible(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small bank shows no class in 30 episodes."""
    monkeypatch.setattr("scoring.subject.eligible", lambda pixels, episode: (pixels > 0).any(axis=0))


@pytest.fixture
def subject(every_class_is_eligible: None, bank: FrameBank, evidence: Evidence) -> Subject:
    return explained(untrained_agent("compact", EnvOptions(), seed=0), bank, evidence, pool=True, steps=2)
