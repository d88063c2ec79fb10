"""What a study scores an agent with, and the rows that come of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from agents.banks import BankSettings
from agents.checkpoint import untrained_agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from scoring.evidence import Evidence
from scoring.settings import ScoreConfig
from scoring.study import rows
from scoring.study.rows import Study, StudyBank, rows_of, settings_of
from scoring.study.table import FEATURES

SMALL = ScoreConfig(steps=2, refits=1, rotations=1, bootstrap=20, permutations=9)
AGENT = untrained_agent("nature", EnvOptions(), 0)


def test_version_1_is_scored_beside_it_at_the_default_layer_without_controls(tmp_path: Path) -> None:
    study = Study(tmp_path, BankSettings(), replace(SMALL, dilation=0, tau=0.2, seed=4))
    own = replace(study.scoring, layer="2a")
    first = replace(own, version=1)
    assert settings_of(study, AGENT, "2a", FEATURES) == [
        *(replace(own, features=features) for features in FEATURES),
        *(replace(first, features=features) for features in ("nmf", "channels")),
    ]
    elsewhere = replace(own, layer="1a", refits=0)
    assert settings_of(study, AGENT, "1a", FEATURES) == [
        replace(elsewhere, features=features) for features in ("nmf", "channels")
    ]


def test_a_study_of_version_1_has_nothing_beside_it(tmp_path: Path) -> None:
    study = Study(tmp_path, BankSettings(), ScoreConfig(version=1))
    assert study.versions == (1,)
    assert [config.features for config in settings_of(study, AGENT, "2a", FEATURES)] == list(FEATURES)


def test_both_versions_are_of_one_gathering_and_one_attribution_and_have_their_own_kinds(
    bank: FrameBank, evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def counted(name: str, function: Any) -> None:
        def call(*arguments: Any, **more: Any) -> Any:
            calls.append(name)
            return function(*arguments, **more)

        monkeypatch.setattr(rows, name, call)

    counted("gather", lambda bank: evidence)
    counted("explain", rows.explain)
    study, shown = Study(tmp_path, BankSettings(), SMALL), StudyBank("shared", bank)
    scored = list(rows_of(study, "fresh", AGENT, shown, ["2a"]))
    assert sorted(calls) == ["explain", "gather"]
    assert [(row["version"], row["features"]) for row in scored] == [
        (2, "nmf"),
        (2, "channels"),
        (2, "rotated"),
        (1, "nmf"),
        (1, "channels"),
    ]
    kinds = {1: COINRUN.named("headline"), 2: COINRUN.with_concepts().named("headline")}
    for row in scored:
        assert [name[6:] for name in row if name.startswith("kappa_")] == list(kinds[int(row["version"] or 0)])
        assert [name[6:] for name in row if name.startswith("found_")] == list(kinds[int(row["version"] or 0)])
        assert ("graded_without_surface" in row, "graded_by_objects" in row) == (
            row["version"] == 1,
            row["version"] == 2,
        )
    assert len({row["bank_sha256"] for row in scored}) == 1
    again = rows_of(study, "fresh", AGENT, shown, ["2a"])
    pd.testing.assert_frame_equal(pd.DataFrame(list(again)), pd.DataFrame(scored))
    assert len(calls) == 2
