"""report.py and video.py as a user runs them: the thin path, a second run, and one sentence for bad input."""

import json
from pathlib import Path

import pytest

import report
from agents.checkpoint import save_agent, untrained_agent
from commands import configuration, refused, run
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.report.page import FORMAT, SCRIPTS
from scoring.report.views import checked_targets

QUICK = ["frames=64", "pool_frames=64", "steps=2", "refits=0", "bootstrap=50", "permutations=50", "targets=[up]"]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agents") / "small<b>.safetensors"
    save_agent(path, untrained_agent("compact", EnvOptions(), seed=1))
    return path


@pytest.mark.long
def test_a_report_of_two_agents_and_a_film_of_its_trajectory(agent: Path, tmp_path: Path) -> None:
    asked = [f"agent='{agent}'", "compare=untrained:compact:0", *QUICK, "output=mine"]
    done = run("report", *asked, cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    assert "mine/index.html" in done.stdout.replace("\n", "")
    folder = tmp_path / "mine"
    marker = json.loads((folder / "report.json").read_text())
    assert marker["format"] == FORMAT
    assert marker["finished"] is True
    first, second = marker["agents"]
    assert first.startswith("small<b>-")
    names = {path.name for path in folder.iterdir()} - {".lock"}
    assert names == {"index.html", "page.css", "data", "scores", "report.json", *SCRIPTS}
    targets = {
        f"{clip}-{n}-{target}.js"
        for n in (0, 1)
        for clip, target in (("trajectory", "value"), ("trajectory", "up"), ("examples", "value"))
    }
    others = {"meta.js", "trajectory.js", "examples.js"} | {
        f"{c}-{n}.js" for c in ("trajectory", "examples") for n in (0, 1)
    }
    assert {path.name for path in (folder / "data").iterdir()} == targets | others
    for name in (first, second):
        assert json.loads((folder / "scores" / name / "scores.json").read_text())["bank"]["players"] == [first, second]
    assert "small&lt;b&gt;-" in (folder / "index.html").read_text()

    # A second run finds it; one with other settings replaces it, files that it no longer has included.
    again = run("report", *asked, cwd=tmp_path)
    assert "is finished" in again.stdout
    other = run("report", *asked[:-2], "targets=[value]", "output=mine", cwd=tmp_path)
    assert other.returncode == 0, other.stderr
    assert not (folder / "data" / "trajectory-0-up.js").exists()

    # A bank that somebody else played, one that is too short, and a folder that is no report are refused.
    bank = next(path for path in (tmp_path / "runs/collect").iterdir() if "spread" in path.name) / "bank.zip"
    stranger = run("report", "agent=untrained:compact:7", f"bank='{bank}'", *QUICK, cwd=tmp_path)
    assert stranger.returncode == 1
    assert f"was played by {first}, {second}, not by untrained-compact-s7" in stranger.stderr
    short = run("report", f"agent='{agent}'", f"bank='{bank}'", *QUICK[1:], cwd=tmp_path)
    assert short.returncode == 1
    assert "has 64 frames, 512 were asked for" in short.stderr
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("years of work")
    taken = run("report", *asked[:-1], "output=thesis", cwd=tmp_path)
    assert taken.returncode == 1
    assert "thesis exists and is not a report; it is left as it is." in taken.stderr
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]

    filmed = (f"agent='{agent}'", "output=film.gif", "frames=64", "steps=2", "first=3", "last=8")
    film = run("video", *filmed, cwd=tmp_path, fresh=True)
    assert film.returncode == 0, film.stderr
    assert (tmp_path / "film.gif").read_bytes()[:4] == b"GIF8"


def test_bad_input_is_answered_with_one_sentence(agent: Path, tmp_path: Path) -> None:
    config = configuration("report", f"agent='{agent}'")
    with pytest.raises(InputError, match="agent and compare are the same, small<b>-"):
        report.settings(config | {"compare": str(agent)})
    with pytest.raises(InputError, match="agent or compare is a list"):
        report.settings(config | {"agent": ["a", "b"]})
    with pytest.raises(InputError, match="There is no checkpoint at runs"):
        report.settings(config | {"agent": "runs/score/somebody"})
    with pytest.raises(InputError, match="features is 'rotated'; a report shows nmf or channels"):
        report.settings(config | {"features": "rotated"})
    with pytest.raises(InputError, match="bank is 'trajectory'; a report is scored on spread"):
        report.settings(config | {"bank": "trajectory"})
    with pytest.raises(InputError, match="targets has 'sideways'"):
        checked_targets([untrained_agent("compact", EnvOptions(), seed=1)], ["sideways"])
    with pytest.raises(InputError, match="its layers are 1a, 2a, 2b, 3a"):
        report.folder(config | {"layer": "5a"})
    where = f"agent='{agent}'"
    assert "There is no bank at missing.zip" in refused("report", where, "bank=missing.zip", cwd=tmp_path)
    (tmp_path / "file").write_text("a file")
    assert "file is a file; the report needs a folder" in refused("report", where, "output=file", cwd=tmp_path)
    assert "ends in neither .mp4 nor .gif" in refused("video", where, "output=film.avi", cwd=tmp_path)
    assert "first is 9 and last is 3" in refused("video", where, "output=a.gif", "first=9", "last=3", cwd=tmp_path)


def test_a_folder_is_a_function_of_the_settings(agent: Path, tmp_path: Path) -> None:
    config = configuration("report", f"agent='{agent}'")
    changes: list[dict[str, object]] = [
        {},
        {"compare": "untrained:compact:0"},
        {"layer": "3a"},
        {"features": "channels"},
        {"seed": 1},
        {"steps": 10},
        {"frames": 128},
        {"bank": str(tmp_path / "one/bank.zip")},
        {"bank": str(tmp_path / "other/one/bank.zip")},
    ]
    for change in changes[-2:]:
        path = Path(str(change["bank"]))
        path.parent.mkdir(parents=True)
        path.write_text(str(path))
    assert len({report.folder(config | change) for change in changes}) == len(changes)
    assert report.folder(config | {"layer": "2b"}) == report.folder(config)
    assert report.folder(config | {"output": tmp_path / "mine"}) == str(tmp_path / "mine")
