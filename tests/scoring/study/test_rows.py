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
from rollouts.documents import read_json, to_json
from rollouts.env import EnvOptions
from scoring.evidence import Evidence
from scoring.settings import ScoreConfig
from scoring.study import rows, run
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


def test_banks_that_are_not_the_same_have_other_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels and number format, too: no bank stands for another."""
    paths = []
    monkeypatch.setattr(run, "load_or_play", lambda path, *_: paths.append(path.name))
    for settings in (
        BankSettings(),
        BankSettings(levels="training"),
        BankSettings(precision="bfloat16"),
        BankSettings(seed=1),
        BankSettings(frames=64),
        BankSettings(pool_frames=64),
    ):
        for players in ([("a", AGENT)], [("a", untrained_agent("nature", EnvOptions(), 1))]):
            run.bank_of(Study(tmp_path, settings, SMALL), "own", "own", players)
    assert len(set(paths)) == len(paths) == 12
    assert paths[0].endswith("-spread-512+512-s0.zip")
    assert paths[2].endswith("-spread-512+512-s0-training.zip")


def test_scores_of_before_and_of_another_bank_are_made_again(
    bank: FrameBank, evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    monkeypatch.setattr(rows, "gather", lambda bank: evidence)
    explain = rows.explain
    monkeypatch.setattr(rows, "explain", lambda *arguments: calls.append(1) or explain(*arguments))
    study, shown = Study(tmp_path, BankSettings(), replace(SMALL, version=1)), StudyBank("own", bank)

    def score(shown: StudyBank) -> int:
        calls.clear()
        list(rows_of(study, "it", AGENT, shown, ["2a"], ["channels"]))
        return len(calls)

    assert [score(shown), score(shown)] == [1, 0]
    path = tmp_path / "scores/it-own-2a.json"
    assert score(StudyBank("own", replace(bank, rewards=bank.rewards + 1))) == 1
    monkeypatch.setattr(rows, "CODE", 99)
    assert [score(shown), score(shown)] == [1, 0]
    document = read_json(path)
    for damaged in ("", "[]", "null", "{", to_json({**document, "basis": {"weights_sha256": "a", "bank_sha256": "b"}})):
        path.write_text(damaged)
        assert [score(shown), score(shown)] == [1, 0]


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
