"""The command that edits features out of an agent."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import edit
from agents.banks import BankSettings
from agents.checkpoint import save_agent, untrained_agent
from agents.failures import Failures
from agents.naming import only_agent
from commands import configuration, run
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.editing.request import EPISODES, EditConfig, requested
from scoring.editing.run import read_played
from scoring.editing.table import failures_table
from scoring.settings import ScoreConfig


def defaults() -> dict[str, Any]:
    return configuration("edit", "agent=some.safetensors")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained agent that goes to the right, so that its episodes are short, but looks where it goes."""
    fresh = untrained_agent("compact", EnvOptions(), seed=1, actions=(7, 8))
    with torch.no_grad():
        fresh.network.policy.weight *= 100
    path = tmp_path_factory.mktemp("agents") / "small.safetensors"
    save_agent(path, fresh)
    return path


def test_playing_unedited_and_edited(agent: Path, tmp_path: Path) -> None:
    small = [f"agent={agent}", "frames=64", "pool_frames=64", "steps=2", "components=2"]
    done = run("edit", *small, "episodes=4e0", cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs/edit").iterdir()
    assert folder.name.endswith("-featureall-episodes4")
    assert "without 1" in done.stdout
    document = json.loads((folder / "edit.json").read_text())
    assert list(document["played"]) == ["unedited", "without 0", "without 1", "shuffled 0", "shuffled 1"]
    for played in document["played"].values():
        assert played["episodes"] == 4
        assert sum(outcome["count"] for outcome in played["outcomes"].values()) == 4
    assert document["edited_weights"] == "3a_conv"
    for k in (0, 1):
        edited, control = (np.array(document["directions"][f"{kind} {k}"]) for kind in ("without", "shuffled"))
        assert edited.shape == (32,)
        assert np.array_equal(np.sort(edited), np.sort(control))
        assert not np.array_equal(edited, control)
    assert "is finished; nothing to do." in run("edit", *small, "episodes=4", "layer=2b", cwd=tmp_path).stdout

    # A run that was stopped after two of five goes on from there, to the same result.
    shorter = document | {"played": {name: document["played"][name] for name in ("unedited", "without 0")}}
    (folder / "edit.json").write_text(json.dumps(shorter))
    done = run("edit", *small, "episodes=4", cwd=tmp_path)
    assert "Playing unedited" not in done.stdout
    assert json.loads((folder / "edit.json").read_text()) == document


def test_bad_input_is_refused_before_anything_is_played(agent: Path, tmp_path: Path) -> None:
    impala = tmp_path / "impala.safetensors"
    save_agent(impala, untrained_agent("impala", EnvOptions(), seed=0))
    for changes, message in (
        ({"feature": 8}, "feature is 8; there are 8 features, 0 to 7, or all"),
        ({"feature": 32, "features": "channels"}, "there are 32 features, 0 to 31"),
        ({"feature": "saw"}, "feature is 'saw'; it must be a number"),
        ({"features": "rotated"}, "features is 'rotated'; nmf or channels can be edited out"),
        ({"episodes": 0}, "episodes is 0"),
        ({"layer": "5a"}, "its layers are 1a, 2a, 2b, 3a"),
        ({"agent": str(impala), "layer": "1a"}, "which has a skip path"),
        ({"agent": [str(agent), str(impala)]}, "agent is a list"),
    ):
        with pytest.raises(InputError, match=message):
            edit.folder(defaults() | {"agent": str(agent)} | changes)
    done = run("edit", f"agent={agent}", "feature=-1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == ["error: feature is -1; there are 8 features, 0 to 7, or all."]
    assert not (tmp_path / "runs").exists()


def test_the_features_are_those_of_score_by_default() -> None:
    assert edit.settings(defaults()) == EditConfig(ScoreConfig(), BankSettings())
    assert defaults()["episodes"] == EPISODES


def test_every_setting_has_its_own_folder(agent: Path) -> None:
    changes: tuple[dict[str, object], ...] = (
        {},
        {"layer": "3a"},
        {"features": "channels"},
        {"feature": 0},
        {"feature": 1},
        {"episodes": 64},
        {"seed": 3},
        {"steps": 10},
        {"components": 4},
        {"bank": "trajectory"},
        {"pool_frames": 128},
        {"target": "logit:1"},
    )
    names = {edit.folder(defaults() | {"agent": str(agent)} | change) for change in changes}
    assert len(names) == len(changes)


def test_a_table_of_failures() -> None:
    counts = {"completed": 15, "saw": 5, "time": 0, "several": 0, "unknown": 0}
    unedited = Failures((2**30, 2**31 - 1), 20, counts)
    table = failures_table({"unedited": unedited})
    assert [column.header for column in table.columns] == ["% of episodes", "completed", "saw", "time", "several"]
    # Wilson's limits, by hand: centre (15 + 1.92) / 23.84, half (1.96 / 23.84) sqrt(15 * 5 / 20 + 0.96).
    assert [next(iter(column.cells)) for column in table.columns[:3]] == [
        "unedited",
        "75.0 (53.1–88.8)",
        "25.0 (11.2–46.9)",
    ]
    some = Failures(unedited.levels, 20, counts | {"completed": 14, "unknown": 1})
    table = failures_table({"unedited": unedited, "without 0": some})
    assert list(table.columns[-1].cells) == ["0.0 (0.0–16.1)", "5.0 (0.9–23.6)"]


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", "whole"])
def test_a_damaged_result_is_played_again(agent: Path, tmp_path: Path, content: str) -> None:
    chosen = edit.settings(configuration("edit", f"agent={agent}", "features=channels", "feature=0"))
    request = requested(*only_agent(str(agent)), chosen, None)
    path = tmp_path / "edit.json"
    for played in ([], {"unedited": {}}, {"unedited": {"levels": 1}}, "x", None):
        path.write_text(json.dumps({**asdict(request), "played": played}) if content == "whole" else content)
        assert read_played(path, request) == {}
    assert read_played(tmp_path / "missing.json", request) == {}
