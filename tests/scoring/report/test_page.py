"""The page's folder."""

import html as markup
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.game import Kind
from scoring.evidence import Evidence
from scoring.pipeline import score_subject
from scoring.report.data import Entry
from scoring.report.definitions import FIXED, grouped, named
from scoring.report.page import FORMAT, check_folder, html
from scoring.rules import NEAR, VERSIONS, Judging, Values
from scoring.settings import ScoreConfig
from scoring.subject import explain


def test_only_a_report_is_ever_overwritten(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "new") is None
    (tmp_path / ".lock").touch()
    assert check_folder(tmp_path) is None
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(InputError, match="exists and is not a report; it is left as it is"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text('{"format": "something else"}')
    with pytest.raises(InputError, match="is not a report"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text("{cut sh")
    with pytest.raises(InputError, match="is not a report"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({"format": FORMAT, "finished": False}))
    assert check_folder(tmp_path) == {"format": FORMAT, "finished": False}
    with pytest.raises(InputError, match=r"thesis\.txt is a file; the report needs a folder"):
        check_folder(tmp_path / "thesis.txt")


def page(agent: Agent, bank: FrameBank, evidence: Evidence, version: int) -> str:
    """The text of index.html of a report without frames."""
    config = ScoreConfig(version=version, features="channels", steps=2, bootstrap=50, permutations=50)
    subject = explain(agent.network, "2b", bank, evidence, steps=2, pool=False)
    entry = Entry("a", agent, score_subject(agent, subject, config), [], {})
    return " ".join(markup.unescape(re.sub("<.*?>", " ", html("a", [entry], []))).split())


def test_definitions_are_those_of_the_version(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    first, second = (page(agent, bank, evidence, version) for version in VERSIONS)
    for text, number in ((first, 1), (second, 2)):
        assert f"score, version {number}" in text
        assert f"What the numbers of version {number} mean" in text
        assert f"version {3 - number}" not in text
    assert "κ ≥ 0.125 (edge of the ground: 0.2)" in first
    assert "|sign| ≥ 0.5 with the game's sense: coin for the agent; saw, enemy and lava against it." in first
    assert "√(κ · T · |sign|)" in first
    assert "outline ≥" not in first
    assert "Agreement" not in first
    assert "described by" not in first
    cutoffs = VERSIONS[2].rule.cutoffs
    fixed = "parts of walls, the player and velocity squares"
    assert f"κ ≥ {cutoffs.kappa} ({fixed}: {cutoffs.fixed})" in second
    assert f"for parts of walls T of the outline ≥ {cutoffs.outline} as well" in second
    assert "a sign above 0 in the game's sense where it gives one: coin for the agent; saw, enemy, lava," in second
    assert f"at least {NEAR} of the highest κ the one that covers fewest pixels" in second
    assert "√(κ · T) over classes" in second
    assert "at the same place in every frame (the player and velocity squares)" in second
    assert "described by Of a feature that is not interpretable" in second
    assert "top: platform top; left: wall facing left" in second
    assert "edge of the ground:" not in second
    for text in (first, second):
        assert "On easy" not in text
        assert "surface" not in text.replace("surface: edge of the ground", "")


def test_on_easy_the_page_tells_that_unseen_levels_are_not_all_new(
    agent: Agent, bank: FrameBank, evidence: Evidence
) -> None:
    easy = replace(agent, options=EnvOptions("easy", num_levels=200))
    told = "On easy unseen levels are not all new: with 200 training levels 16.6% of them have the layout"
    assert told in page(easy, bank, evidence, 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_kinds_said_to_have_the_other_cut_off_are_those_of_the_rule(version: int) -> None:
    """Between the two cut-offs a kind passes exactly if it is not one of them; everything else is beyond doubt."""
    rule, game = VERSIONS[version].rule, VERSIONS[version].game(COINRUN)
    kinds = [kind for kind in game.kinds if kind.headline]
    between = (rule.cutoffs.kappa + rule.cutoffs.fixed) / 2

    def passes(kind: Kind) -> bool:
        def one(value: float) -> np.ndarray:
            return np.full((1, 1), value)

        values = Values(one(between), one(kind.sense or 1.0), one(1.0), one(1.0))
        judging = Judging([kind], np.array([True]), np.array([True]), np.array([9]))
        return bool(rule.interpretable(values, one(between), judging)[0][0])

    assert [passes(kind) for kind in kinds] == [not FIXED[version](kind) for kind in kinds]
    assert any(map(FIXED[version], kinds))
    assert named(game, version).fixed == grouped([kind for kind in kinds if FIXED[version](kind)])
