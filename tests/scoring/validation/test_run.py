"""What comes of a validation."""

from pathlib import Path

import pytest

from agents.checkpoint import fingerprint, untrained_agent
from rollouts.env import EnvOptions
from scoring.validation.base import Check, Outcome, at_most
from scoring.validation.groups import GROUPS, Group
from scoring.validation.identities import Identities
from scoring.validation.run import GroupRun, Validation, validate


def test_checks_that_fail_are_unmet_and_those_not_run_where_all_are_required() -> None:
    checks = [at_most("a", 1, 2), at_most("b", 3, 2), Check("c", None, "", None)]
    validation = Validation([GroupRun("group", 0.0, checks, None)], 1.0)
    assert validation.unmet(require_all=False) == ["b"]
    assert validation.unmet(require_all=True) == ["b", "c (not run)"]


def test_groups_are_run_in_turn_and_written_with_what_they_were_run_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = untrained_agent("compact", EnvOptions(), seed=3)
    monkeypatch.setattr(
        "scoring.validation.run.GROUPS",
        {
            "first": Group(lambda material: Outcome([at_most("a", material.seed, 7)], Identities())),
            "published": GROUPS["published"],
        },
    )
    validation = validate(agent, None, ["first", "published"], tmp_path, seed=7)
    first, published = validation.groups
    assert first.checks == [Check("a", 7, "<= 7", True)]
    assert published.checks == [Check("published", None, "", None, "not run: published=PATH names no agent")]
    document = validation.to_json(agent, None)
    assert list(document) == ["first", "agent_sha256", "published_sha256", "cutoffs", "seconds"]
    assert document["first"] == {
        "seconds": first.seconds,
        "checks": [{"name": "a", "value": 7, "bound": "<= 7", "passed": True, "note": ""}],
        "details": {},
    }
    assert document["agent_sha256"] == fingerprint(agent)
    assert document["published_sha256"] is None
