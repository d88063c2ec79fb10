"""A report being made: what is in its folder when, and what it says of a network that is dead."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch

from agents.checkpoint import Agent, untrained_agent
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.evidence import Evidence
from scoring.pipeline import Score, score_subject
from scoring.report import build
from scoring.report.build import write_report
from scoring.report.page import FORMAT, MARKER, check_folder, is_finished
from scoring.settings import ScoreConfig
from scoring.subject import explain

CONFIG = ScoreConfig(steps=2, bootstrap=20, permutations=9, refits=0, components=4)
MADE = {"settings": {"seed": 0}}


def dead_agent() -> Agent:
    agent = untrained_agent("compact", EnvOptions(), seed=1)
    with torch.no_grad():
        agent.network.value.weight.zero_()
    return agent


@pytest.fixture(scope="module")
def agents(agent: Agent) -> list[tuple[str, Agent]]:
    return [("sound", agent), ("dead", dead_agent())]


@pytest.fixture(scope="module")
def scores(agents: list[tuple[str, Agent]], bank: FrameBank, evidence: Evidence) -> dict[str, Score]:
    subjects = {name: explain(agent.network, "2b", bank, evidence, steps=2) for name, agent in agents}
    return {name: score_subject(agent, subjects[name], CONFIG) for name, agent in agents}


def test_a_dead_network_has_a_page_that_says_so(
    agents: list[tuple[str, Agent]], scores: Mapping[str, Score], played: FrameBank, tmp_path: Path
) -> None:
    page = write_report(tmp_path, agents, scores, played, ("value", "right"), MADE).read_text()
    assert (
        "dead: 4 nmf features of layer 2b. The features are dead: value does not depend on layer 2b in any frame, "
        "so there is no headline." in page
    )
    assert "Advantage of dead is not shown: it was never trained" in page
    for path in tmp_path.rglob("scores.json"):
        assert not {"NaN", "Infinity"} & set(re.findall(r"\w+", path.read_text()))


def test_an_interrupted_report_is_made_again_without_what_it_left(
    agents: list[tuple[str, Agent]],
    scores: Mapping[str, Score],
    played: FrameBank,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Stopped after the first agent's scores, its folder is still a report; another agent's scores do not stay."""
    seen: list[str] = []
    write_score = build.write_score

    def interrupted(folder: Path, name: str, *rest: object) -> None:
        if seen:
            raise KeyboardInterrupt
        seen.append(name)
        write_score(folder, name, *rest)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(build, "write_score", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_report(tmp_path, agents, scores, played, ("value",), MADE)
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["sound"]
    marker = check_folder(tmp_path)
    assert marker == {"format": FORMAT, "finished": False}
    assert not is_finished(tmp_path, marker, MADE)

    write_report(tmp_path, agents[1:], scores, played, ("value",), MADE)
    assert [path.name for path in (tmp_path / "scores").iterdir()] == ["dead"]
    marker = check_folder(tmp_path)
    assert is_finished(tmp_path, marker, MADE)
    assert not is_finished(tmp_path, marker, {"settings": {"seed": 1}})
    for name in ("index.html", "data/meta.js", "data/trajectory-0.js", "scores/dead/features.parquet", "page.css"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[:-1])
        assert not is_finished(tmp_path, marker, MADE), name
        (tmp_path / name).unlink()
        assert not is_finished(tmp_path, marker, MADE), name
        (tmp_path / name).write_bytes(content)
        assert is_finished(tmp_path, marker, MADE)


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_damaged_marker_is_told_and_nothing_is_touched(content: str, tmp_path: Path) -> None:
    (tmp_path / MARKER).write_text(content)
    (tmp_path / "data").mkdir()
    with pytest.raises(InputError, match=r"is not a report that can be read: .* It is left as it is"):
        check_folder(tmp_path)
