"""Checks on a small bank: their bounds can be missed, and what they measure is what they say."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.checkpoint import load_agent, untrained_agent
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from scoring.evidence import NAMES, Evidence
from scoring.explain.methods import attribute
from scoring.validation import checks
from scoring.validation.checks import Found, at_least, at_most
from scoring.validation.figures import FIGURES
from scoring.validation.identities import identities


@pytest.fixture(autouse=True)
def every_class_is_eligible(monkeypatch: pytest.MonkeyPatch) -> None:
    """The small bank shows no class in 30 episodes."""
    monkeypatch.setattr("scoring.subject.eligible", lambda pixels, episode: (pixels > 0).any(axis=0))


def ignore(what: str) -> None:
    """Progress that nobody watches."""


def test_bounds_can_be_missed() -> None:
    assert at_least("a", 0.5, 0.5).passed
    assert not at_least("a", 0.49, 0.5).passed
    assert at_most("a", 0.5, 0.5).passed
    assert not at_most("a", 0.51, 0.5).passed
    assert not at_most("a", float("nan"), 0.5).passed
    assert not at_least("a", float("nan"), 0.5).passed


def test_masks_are_shifted_down_and_empty_above() -> None:
    masks = np.zeros((1, 1, 64, 64), dtype=bool)
    masks[0, 0, 10, 3] = masks[0, 0, 60, 3] = True
    assert np.argwhere(checks._shifted(masks, 5)[0, 0]).tolist() == [[15, 3]]


def test_identities_hold(bank: FrameBank, evidence: Evidence) -> None:
    agent = load_agent(Path(__file__).parents[3] / "zoo/compact-hard-all.safetensors")
    subject = checks.explained(agent, bank, evidence, steps=4)
    few, many = (attribute(agent.network, "2b", bank.frames[:16], steps=steps) for steps in (32, 320))
    found = identities(checks.judged(subject, "channels"), (few, many))
    assert {check.name for check in found.checks if not check.passed} == set()


@pytest.mark.parametrize("name", ["by_hand", "shifted_masks", "rotation", "pairs"])
def test_groups_can_be_written_and_drawn(name: str, bank: FrameBank, evidence: Evidence, tmp_path: Path) -> None:
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    subject = checks.explained(agent, bank, evidence, pool=True, steps=2)
    groups: dict[str, Found] = {
        "by_hand": checks.by_hand(bank, evidence, ignore),
        "shifted_masks": checks.shifted_masks(subject, "untrained", ignore),
        "rotation": checks.rotation({"untrained": subject}, ignore),
    }
    if name == "pairs":
        rows = [{"agent": "a", "features": "nmf", "class": "coin", "kappa": 0.2, "causal": 0.9}]
        groups["pairs"] = Found([], {"rows": rows})
    FIGURES[name](groups[name].details, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000
    json.dumps(groups[name].details)
    for check in groups[name].checks:
        assert check.passed in (True, False)


def test_edges_and_constants_have_their_kappa_on_every_class(bank: FrameBank, evidence: Evidence) -> None:
    details = checks.by_hand(bank, evidence, ignore).details
    kappa = np.array(details["kappa"], dtype=float)
    assert kappa.shape == (3, len(NAMES))
    assert np.nanmax(np.abs(kappa[1])) < 1e-6, "a constant map is at chance on everything"
    assert kappa[0, NAMES.index("surface")] > 0.05, "edges are where surfaces are"
