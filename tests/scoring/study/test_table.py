"""A score's columns against its record and verdict."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.checkpoint import untrained_agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.evidence import Evidence
from scoring.pipeline import score
from scoring.settings import ScoreConfig
from scoring.study.table import check_version, game_of, numbers, read, save

SHIPPED = Path(__file__).parents[3] / "results/results.parquet"


def test_columns_are_those_that_are_shipped_and_say_what_the_score_says(bank: FrameBank, evidence: Evidence) -> None:
    agent = untrained_agent("nature", EnvOptions(), 0)
    scored = score(agent, bank, evidence, ScoreConfig(version=1, steps=2, refits=2, bootstrap=20, permutations=9))
    columns = numbers(scored)
    shipped = list(pd.read_parquet(SHIPPED).columns)
    assert [name for name in columns if name != "fits_stopped"] == shipped[shipped.index("version") :]
    headline, fits = scored.record.headline, scored.record.diagnostics.factorisation
    assert columns["graded_score"] == headline.graded_score.value
    assert columns["graded_score_low"] == headline.graded_score.low
    assert fits is not None
    assert columns["graded_score_sd"] == pytest.approx(np.std([value for value in fits.graded_score if value]))
    eligible = 0
    for c, name in enumerate(COINRUN.names[:6]):
        if scored.eligible[c]:
            assert columns[f"kappa_{name}"] == max(scored.verdict.kappa[:, c])
            assert columns[f"found_{name}"] == sum(scored.verdict.kind == c)
            eligible += 1
        else:
            assert columns[f"kappa_{name}"] is columns[f"found_{name}"] is None
    assert eligible


def test_a_table_that_names_no_game_is_of_coinrun(tmp_path: Path) -> None:
    assert "game" not in pd.read_parquet(SHIPPED)
    assert game_of(read(SHIPPED)) is COINRUN
    own = {"game": "coinrun", "version": 2, "levels": 3}
    save(tmp_path / "own.parquet", [own])
    pd.testing.assert_frame_equal(read(tmp_path / "own.parquet"), pd.DataFrame([own]))
    assert game_of(read(tmp_path / "own.parquet")) == COINRUN.with_concepts()
    with pytest.raises(InputError, match=r"missing\.parquet is no results file"):
        read(tmp_path / "missing.parquet")
    save(tmp_path / "other.parquet", [{"game": "coinrun"}])
    with pytest.raises(InputError, match=r"other\.parquet is no results file: it names no version of the score"):
        read(tmp_path / "other.parquet")


def test_rows_of_two_versions_have_no_kinds_in_common() -> None:
    rows = pd.DataFrame({"game": "coinrun", "version": [1, 2]})
    with pytest.raises(AssertionError, match=r"rows of versions \{1, 2\} stand together"):
        game_of(rows)


@pytest.mark.parametrize(
    ("found", "versions", "refused"),
    [
        ([2], (2, 1), False),
        ([1, 2], (2, 1), False),
        ([1], (1,), False),
        ([1], (2, 1), True),
        ([1, 2], (1,), True),
        ([1, 2, 3], (2, 1), True),
        ([], (2, 1), True),
    ],
)
def test_results_of_another_version_are_refused(
    found: list[int], versions: tuple[int, ...], refused: bool, tmp_path: Path
) -> None:
    path = tmp_path / "results.parquet"
    check_version(path, versions)
    pd.DataFrame({"version": found}, dtype=int).to_parquet(path)
    if refused:
        listed = ", ".join(map(str, found))
        with pytest.raises(InputError, match=f"holds scores of version {listed}, and this is version {versions[0]};"):
            check_version(path, versions)
    else:
        check_version(path, versions)
