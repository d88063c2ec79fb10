"""The study as a user reproduces it, on agents that are hardly trained and a bank that is hardly one."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from agents.checkpoint import save_agent, untrained_agent
from rollouts.coinrun import EnvOptions
from scoring.pipeline import VERSION
from test_commands import refused, run

SMALL = ("frames=64", "pool_frames=64", "steps=2", "refits=0", "threads=1")


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One rung, and a file that is no agent."""
    folder = tmp_path_factory.mktemp("agents")
    agent = untrained_agent("nature", EnvOptions(num_levels=100), seed=1)
    agent.steps, agent.curve = 1000, [(1000, 6.0)]
    save_agent(folder / "nature-n100.safetensors", agent)
    (folder / "broken.safetensors").write_bytes(b"no agent")
    return folder


def test_a_study_is_complete_goes_on_and_is_never_made_twice(agents: Path, tmp_path: Path) -> None:
    done = run("reproduce", f"agents={agents}", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Left out: " in done.stdout
    assert "broken.safetensors" in done.stdout
    results = tmp_path / "results"
    table = pd.read_parquet(results / "results.parquet")
    # An agent and an untrained one, two banks, three layers with NMF and channels, one with rotated channels, too.
    assert len(table) == 2 * 2 * (3 * 2 + 1)
    assert set(table["group"]) == {"nature, hard, velocity painted"}
    assert set(table["version"]) == {VERSION}
    assert table.groupby("agent")["trained"].first().sum() == 1
    for name in ("headline", "completion", "orbay2020", "layers", "classes"):
        assert (results / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    text = (results / "RESULTS.md").read_text()
    assert "too few rungs for a test" in text.split("\n\n")[1]
    assert "broken.safetensors" in text
    row = table[(table["agent"] == "nature-n100") & (table["bank"] == "shared") & (table["features"] == "nmf")]
    row = row[row["layer"] == "2a"].iloc[0]
    assert f"{row['graded_score']:.3f} (" in text

    written = {path: path.stat().st_mtime_ns for path in (results / "scores").iterdir()}
    assert len(written) == 2 * 2 * 3
    missing = next(iter(written))
    missing.unlink()
    again = run("reproduce", f"agents={agents}", *SMALL, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert missing.exists()
    assert all(path.stat().st_mtime_ns == then for path, then in written.items() if path != missing)
    pd.testing.assert_frame_equal(pd.read_parquet(results / "results.parquet"), table)

    # A score of another version is made again; a table of another version is not overwritten.
    kept = json.loads(missing.read_text())
    assert kept["basis"]["version"] == VERSION
    table.assign(version=VERSION + 1).to_parquet(results / "results.parquet")
    other = run("reproduce", f"agents={agents}", *SMALL, cwd=tmp_path)
    assert other.returncode == 1
    assert f"holds scores of version {VERSION + 1}, and this is version {VERSION}" in other.stderr


def test_rungs_at_equal_completion(agents: Path, tmp_path: Path) -> None:
    """Of an agent that completed fewer levels in the end than before, and of another, the checkpoints are compared."""
    folder = tmp_path / "agents"
    folder.mkdir()
    shutil.copy(agents / "nature-n100.safetensors", folder)
    for name, seed, levels, returns in (("nature-n300", 2, 300, 8.0),):
        agent = untrained_agent("nature", EnvOptions(num_levels=levels), seed)
        agent.steps, agent.curve = 3000, [(3000, returns)]
        save_agent(folder / f"{name}.safetensors", agent)
        (tmp_path / "kept" / name).mkdir(parents=True)
        for part, before in ((1, 2.0), (2, 6.5)):
            early = untrained_agent("nature", EnvOptions(num_levels=levels), seed + 10 * part)
            early.steps, early.curve = 1000 * part, [(1000 * part, before)]
            save_agent(tmp_path / "kept" / name / f"agent-{part}of3.safetensors", early)
    done = run("reproduce", f"agents={folder}", "milestones=kept", *SMALL, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    equal = pd.read_parquet(tmp_path / "results/equal_completion.parquet")
    assert equal.groupby("agent")["steps"].first().to_dict() == {"nature-n100": 1000, "nature-n300": 2000}
    assert set(equal["completion"]) == {0.6}
    assert set(equal["layer"]) == {"2a"}
    text = (tmp_path / "results/RESULTS.md").read_text()
    assert "| nature-n300 | 2,000 | 65.0% |" in text
    final = pd.read_parquet(tmp_path / "results/results.parquet")
    same = final[(final["agent"] == "nature-n100") & (final["bank"] == "shared") & (final["layer"] == "2a")]
    assert equal[equal["agent"] == "nature-n100"]["graded_score"].tolist() == same["graded_score"].tolist()

    # Without the checkpoints, the table that is shipped beside the agents is shown.
    shutil.copy(tmp_path / "results/equal_completion.parquet", folder)
    again = run("reproduce", f"agents={folder}", "milestones=nowhere", "output=other", *SMALL, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert "| nature-n300 | 2,000 | 65.0% |" in (tmp_path / "other/RESULTS.md").read_text()


def test_bad_input_is_refused_before_any_work(agents: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"{empty} has no agent that can be read." in refused("reproduce", f"agents={empty}", cwd=tmp_path)
    assert "There is no folder nowhere." in refused("reproduce", "agents=nowhere", cwd=tmp_path)
    (empty / "broken.safetensors").write_bytes(b"no agent")
    assert "broken.safetensors" in refused("reproduce", f"agents={empty}", cwd=tmp_path)
    assert "frames is 7" in refused("reproduce", f"agents={agents}", "frames=7", cwd=tmp_path)
    assert "steps is 0" in refused("reproduce", f"agents={agents}", "steps=0", cwd=tmp_path)
    (tmp_path / "results").mkdir()
    (tmp_path / "results/results.parquet").write_bytes(b"no table")
    done = run("reproduce", f"agents={agents}", *SMALL, cwd=tmp_path)
    assert done.returncode == 1
    assert "results.parquet is no results file" in done.stderr


def test_agents_are_grouped_by_network_and_frames() -> None:
    import reproduce

    agents = {"a": untrained_agent("compact", EnvOptions(), 1), "b": untrained_agent("nature", EnvOptions(), 1)}
    agents["c"] = replace(agents["a"], options=EnvOptions(paint_velocity=False))
    groups = reproduce.grouped(agents)
    assert [next(iter(members)) for members in groups.values()] == ["a", "b", "c"]
    assert [len(members) for members in groups.values()] == [2, 2, 2]
