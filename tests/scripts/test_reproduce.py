"""The study as a user reproduces it, on agents that are hardly trained and a bank that is hardly one."""

import json
from pathlib import Path

import pandas as pd
import pytest

from commands import refused, run
from scoring.settings import ScoreConfig
from study_agents import write_agents

VERSION = ScoreConfig.version
THREADS = ("env_threads=1", "torch_threads=1")
SMALL = ("frames=64", "pool_frames=64", "steps=2", "refits=0", "bootstrap=50", "permutations=99", *THREADS)


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_agents(tmp_path_factory.mktemp("study"))


@pytest.mark.long
def test_a_study_is_complete_goes_on_and_is_never_made_twice(agents: Path, tmp_path: Path) -> None:
    command = ("reproduce", f"agents={agents}", f"milestones={agents.parent / 'kept'}", *SMALL)
    done = run(*command, cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    assert "Left out: " in done.stdout
    assert "broken.safetensors" in done.stdout
    assert "agent-3of3.safetensors" in done.stdout
    results = tmp_path / "results"
    whole = pd.read_parquet(results / "results.parquet")
    # Two agents and an untrained one, two banks, three layers with NMF and channels, one with rotated channels, too,
    # and that one with NMF and channels in version 1.
    assert whole["version"].value_counts().to_dict() == {VERSION: 3 * 2 * (3 * 2 + 1), 1: 3 * 2 * 2}
    assert set(whole["group"]) == {"nature, hard, velocity painted"}
    first, table = whole[whole["version"] == 1], whole[whole["version"] == VERSION]
    assert set(first["layer"]) == {"2a"}
    assert set(first["bank_sha256"]) == set(table["bank_sha256"])
    assert first["found_surface"].notna().any()
    assert table["found_surface"].isna().all()
    assert table["found_top"].notna().any()
    assert first["found_top"].isna().all()
    assert table.groupby("agent")["trained"].first().sum() == 2
    for name in ("headline", "completion", "orbay2020", "layers", "classes"):
        assert (results / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
    text = (results / "RESULTS.md").read_text()
    assert "too few rungs for a test" in text.split("\n\n")[1]
    assert "broken.safetensors" in text
    row = table[(table["agent"] == "nature-n100") & (table["bank"] == "shared") & (table["features"] == "nmf")]
    row = row[row["layer"] == "2a"].iloc[0]
    assert f"{row['graded_score']:.3f} (" in text
    before = first[(first["agent"] == "nature-n100") & (first["bank"] == "shared") & (first["features"] == "nmf")]
    assert "### Version 1, beside it" in text
    assert f"| nature-n100 | {row['graded_score']:.3f} | {before.iloc[0]['graded_score']:.3f} | " in text

    # Six tenths of the levels are completed by both: by one in the end, by the other after two thirds of its training.
    along = pd.read_parquet(results / "milestones.parquet")
    assert along.groupby("agent")["steps"].unique().map(list).to_dict() == {
        "nature-n100": [1000],
        "nature-n300": [1000, 2000, 3000],
    }
    later = along[along["agent"] == "nature-n300"]
    assert dict(zip(later["steps"], later["completes"], strict=True)) == {1000: 0.2, 2000: 0.65, 3000: 0.8}
    assert along["version"].value_counts().to_dict() == {VERSION: 4 * 2, 1: 4 * 2}
    assert set(along["layer"]) == {"2a"}
    assert set(along["features"]) == {"nmf", "channels"}
    assert row["graded_score"] in set(along["graded_score"])
    assert "| nature-n300 | 2,000 | 65.0% |" in text
    assert (results / "training.png").read_bytes()[:4] == b"\x89PNG"

    written = {path: path.stat().st_mtime_ns for path in (results / "scores").iterdir()}
    assert len(written) == 3 * 2 * 3 + 2
    missing = results / "scores/nature-n100-own-1a.json"
    missing.write_text("{damaged")
    (results / "milestones.parquet").rename(agents / "milestones.parquet")  # as it is shipped
    again = run(*command[:2], "milestones=nowhere", *SMALL, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert json.loads(missing.read_text())["scores"]
    assert "| nature-n300 | 2,000 | 65.0% |" in (results / "RESULTS.md").read_text()
    assert all(path.stat().st_mtime_ns == then for path, then in written.items() if path != missing)
    pd.testing.assert_frame_equal(pd.read_parquet(results / "results.parquet"), whole)

    # The text and the pictures can be made from the tables alone.
    told, picture = (results / "RESULTS.md").read_text(), (results / "headline.png").read_bytes()
    for name in ("RESULTS.md", "headline.png"):
        (results / name).unlink()
    drawn = run(*command[:2], "milestones=nowhere", "from_table=true", *SMALL, cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert "Scoring" not in drawn.stdout
    assert (results / "RESULTS.md").read_text() == told
    assert (results / "headline.png").read_bytes() == picture

    # A score of another version is made again; a table of another version is not overwritten.
    kept = json.loads(missing.read_text())
    assert {config["version"] for config in kept["basis"]["settings"]} == {VERSION}
    for version, rows in ((VERSION + 1, table.assign(version=VERSION + 1)), (1, first)):
        rows.to_parquet(results / "results.parquet")
        stood = (results / "results.parquet").read_bytes()
        other = run(*command, cwd=tmp_path)
        assert other.returncode == 1
        assert f"holds scores of version {version}, and this is version {VERSION}" in other.stderr
        assert (results / "results.parquet").read_bytes() == stood

    # The text can be made from a table of any version.
    drawn = run(*command, "from_table=true", cwd=tmp_path)
    assert drawn.returncode == 0, drawn.stderr
    assert "version" not in (results / "RESULTS.md").read_text()


def test_bad_input_is_refused_before_any_work(agents: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"{empty} has no agent that can be read." in refused("reproduce", f"agents={empty}", cwd=tmp_path)
    assert "There is no folder nowhere." in refused("reproduce", "agents=nowhere", cwd=tmp_path)
    (empty / "broken.safetensors").write_bytes(b"no agent")
    assert "broken.safetensors" in refused("reproduce", f"agents={empty}", cwd=tmp_path)
    assert "frames is 7" in refused("reproduce", f"agents={agents}", "frames=7", cwd=tmp_path)
    assert "steps is 0" in refused("reproduce", f"agents={agents}", "steps=0", cwd=tmp_path)
    assert "from_table is 'maybe'; it must be true or false" in refused(
        "reproduce", f"agents={agents}", "from_table=maybe", cwd=tmp_path
    )
    assert "results.parquet" in refused("reproduce", f"agents={agents}", "from_table=true", cwd=tmp_path)
    (tmp_path / "results").mkdir(exist_ok=True)
    (tmp_path / "results/results.parquet").write_bytes(b"no table")
    done = run("reproduce", f"agents={agents}", *SMALL, cwd=tmp_path)
    assert done.returncode == 1
    assert "results.parquet is no results file" in done.stderr


def test_a_shipped_table_of_another_version_is_refused_before_any_work(agents: Path, tmp_path: Path) -> None:
    pd.DataFrame({"version": [VERSION + 1]}).to_parquet(agents / "milestones.parquet")
    try:
        assert f"holds scores of version {VERSION + 1}" in refused("reproduce", f"agents={agents}", cwd=tmp_path)
    finally:
        (agents / "milestones.parquet").unlink()
