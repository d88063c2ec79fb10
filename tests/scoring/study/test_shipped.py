"""What is shipped of the ladder is what its tables and agents say."""

from pathlib import Path

from agents.checkpoint import load_agent
from scoring.study.catalogue import completed, write_catalogue
from scoring.study.report import first_table, report
from scoring.study.table import read

ROOT = Path(__file__).parents[3]


def test_the_text_and_every_picture_are_made_from_the_tables_that_are_shipped(tmp_path: Path) -> None:
    """The tables are of a version that named no game."""
    results, zoo = ROOT / "results", ROOT / "zoo/ladder"
    along = first_table(results / "milestones.parquet", zoo / "milestones.parquet")
    text = report(tmp_path, read(results / "results.parquet"), along)
    assert text == (results / "RESULTS.md").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in results.iterdir() if path.suffix in (".md", ".png")
    }


def test_the_catalogue_is_that_of_the_agents_that_are_shipped(tmp_path: Path) -> None:
    for path in (ROOT / "zoo/ladder").glob("*.safetensors"):
        (tmp_path / path.name).symlink_to(path)
    write_catalogue(tmp_path)
    assert (tmp_path / "README.md").read_text() == (ROOT / "zoo/ladder/README.md").read_text()


def test_completion_with_its_interval() -> None:
    agent = load_agent(ROOT / "zoo/ladder/compact-n100-s0.safetensors")
    assert completed(agent) == ["63.3% (61.2% to 65.4%)", "57.7% (55.5% to 59.8%)"]
    agent.evaluation = {}
    assert completed(agent) == ["not evaluated", "not evaluated"]
