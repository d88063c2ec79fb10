"""The laboratory as a user runs it."""

from pathlib import Path

import pandas as pd
import pytest

from commands import refused, run
from scoring.laboratory.base import Row
from scoring.laboratory.report import failures, write_page
from scoring.laboratory.run import table
from scoring.metrics.statistics import Number

SMALL = ["agent=untrained:compact:0", "frames=64", "scenes=8", "methods=[removal,gradient,edges,noise]"]


def test_a_run_its_files_and_going_on(tmp_path: Path) -> None:
    done = run("laboratory", *SMALL, "tests=[objects,deletion]", "output=lab", cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "lab"
    rows = pd.read_parquet(folder / "laboratory.parquet")
    assert set(rows["test"]) == {"objects", "deletion"}
    assert set(rows["method"]) == {"removal", "gradient", "edges", "noise"}
    reference = rows[(rows["method"] == "removal") & (rows["statistic"] == "strongest object is right")]
    assert reference["value"].item() == 1
    assert (
        (folder / "LABORATORY.md")
        .read_text()
        .startswith("# Which explanation can be believed?\n\n**untrained-compact-s0.**")
    )
    assert (folder / "objects.png").stat().st_size > 5000
    assert (folder / "untrained-compact-s0" / "maps-value.png").stat().st_size > 5000
    parts = {path: path.stat().st_mtime_ns for path in folder.rglob("parts/*")}
    assert len(parts) == 2
    again = run("laboratory", *SMALL, "tests=[objects,deletion,claims]", "output=lab", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert {path: path.stat().st_mtime_ns for path in parts} == parts
    assert set(pd.read_parquet(folder / "laboratory.parquet")["test"]) == {"objects", "deletion", "claims"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["methods=lrp"], "methods has 'lrp'; it can have removal, "),
        (["tests=[objects,roar]"], "tests has 'roar'; it can have objects, "),
        (["bank=trajectory"], "bank is 'trajectory', of one environment; the laboratory's intervals need several."),
        (["targets=[q]"], "target is 'q'; it can be value, logit:3, "),
        (["targets=[logit:15]"], "target names logit 15; the network has logits 0 to 14."),
    ],
)
def test_bad_input_is_refused_before_any_work(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    assert sentence in refused("laboratory", *SMALL[:1], *arguments, cwd=tmp_path)
    assert not (tmp_path / "runs" / "collect").exists()


def test_the_first_paragraph_says_which_methods_fail(tmp_path: Path) -> None:
    def row(test: str, method: str, passes: bool | None) -> Row:
        return Row(test, method, "value", "number", Number(0.5, (0.25, 0.75)), 8, passes)

    rows = table(
        "one",
        [
            row("objects", "gradient", False),
            row("objects", "removal", True),
            row("objects", "noise", False),
            row("claims", "gradient", True),
            row("localisation", "gradient", None),
        ],
    )
    assert failures(rows) == {"objects": ["gradient"], "claims": []}
    text = write_page(tmp_path, rows).read_text()
    assert "**one.** objects: gradient fail; claims: none fail." in text.splitlines()[2]
