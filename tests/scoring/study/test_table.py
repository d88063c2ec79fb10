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
from scoring.study.table import game_of, numbers, read, save

SHIPPED = Path(__file__).parents[3] / "results/results.parquet"


def test_columns_are_those_that_are_shipped_and_say_what_the_score_says(bank: FrameBank, evidence: Evidence) -> None:
    agent = untrained_agent("nature", EnvOptions(), 0)
    scored = score(agent, bank, evidence, ScoreConfig.of_version(1, steps=2, refits=2, bootstrap=20, permutations=9))
    columns = numbers(scored)
    shipped = list(pd.read_parquet(SHIPPED).columns)
    assert list(columns) == shipped[shipped.index("version") :]
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
    save(tmp_path / "own.parquet", [{"game": "coinrun", "levels": 3}])
    pd.testing.assert_frame_equal(read(tmp_path / "own.parquet"), pd.DataFrame({"game": ["coinrun"], "levels": [3]}))
    with pytest.raises(InputError, match=r"missing\.parquet is no results file"):
        read(tmp_path / "missing.parquet")
