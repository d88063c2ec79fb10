"""What RESULTS.md says of tables made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rollouts.coinrun.table import COINRUN
from scoring.study.answer import answer
from scoring.study.figures import FIGURES
from scoring.study.published import published
from scoring.study.text import results

RUNGS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
Scores = dict[tuple[int, int], float | None]
"""The graded score of the agent of so many levels and of a seed."""


def table(scores: Scores) -> pd.DataFrame:
    """Every row of a study of `nature`, whose scores are the same with all features, layers and banks."""
    rows = []
    agents = [(levels, seed, True, score) for (levels, seed), score in scores.items()] + [(100, 0, False, 0.01)]
    for levels, seed, trained, score in agents:
        about: dict[str, Any] = {
            "agent": f"n{levels}-s{seed}" if trained else "untrained",
            "group": "nature, hard",
            "game": "coinrun",
            "network": "nature",
            "default_layer": "2a",
            "trained": trained,
            "levels": levels,
            "seed": seed,
            "steps": 1000 * trained,
            "weights_sha256": f"{levels}{seed}{trained}",
            "graded_score": score,
            "graded_score_low": score,
            "graded_score_high": score,
            "graded_score_sd": 0.0,
            "orbay2020": 0.4,
            "orbay_chance": 0.4,
            "objects": 0.4,
            "completeness_error": 0.1,
            "completeness_error_mean": 0.1,
            "target_sd": 1.0,
            "distinct_classes": 1.0,
            "split_half_reliability": None,
            "graded_without_surface": score,
        }
        for name in ("interpretable_fraction", "lift", "localisation"):
            about |= {name: 0.0, f"{name}_low": 0.0, f"{name}_high": 0.0}
        for kind in ("training", "unseen"):
            about |= {f"{kind}_completed": np.nan, f"{kind}_low": np.nan, f"{kind}_high": np.nan}
        for name in COINRUN.named("headline"):
            about |= {f"kappa_{name}": 0.1, f"found_{name}": 0}
        for bank in ("shared", "own"):
            for layer in ("1a", "2a"):
                features = ("nmf", "channels", "rotated") if layer == "2a" else ("nmf", "channels")
                rows += [about | {"bank": bank, "bank_sha256": bank, "layer": layer, "features": f} for f in features]
    return pd.DataFrame(rows)


def text(scores: Scores, along: pd.DataFrame | None = None) -> str:
    found = table(scores)
    return results(found, [answer(found, "nature, hard")], {"nature, hard": ""}, [], along)


def first(scores: Scores) -> str:
    return text(scores).split("\n\n")[1]


def ladder(scores: list[float], seed: int = 0) -> Scores:
    return {(levels, seed): score for levels, score in zip(RUNGS, scores, strict=False)}


RISING = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (
            ladder(RISING),
            [
                "the graded score rises",
                "p = 0.0002 over 7 rungs",
                "agent a rung, so this is descriptive",
                "An untrained network has 0.010",
                "from 0.100 to 0.700",
            ],
        ),
        (ladder(RISING[::-1]), ["the graded score falls", "ρ = −1.00"]),
        (ladder([0.1, 0.3, 0.2, 0.1, 0.3, 0.2, 0.2]), ["does not rise significantly"]),
        (ladder(RISING[:3]), ["does not rise significantly", "No order of so few rungs reaches p ≤ 0.05."]),
        (ladder(RISING[:2]), ["2 agents on 100 and 300 levels: too few rungs for a test"]),
        ({(levels, 0): levels / 9 for levels in range(1, 10)}, ["more rungs than an exact test can go through"]),
        (ladder(RISING) | {(1000, 0): None}, ["no test, because a rung has no number"]),
        ({(0, 0): 0.5, (100, 0): 0.1}, ["2 agents on 100 and unlimited levels"]),
        ({(levels, 0): levels / 9 for levels in range(1, 9)}, ["p < 0.0001"]),
        (ladder(RISING) | ladder(RISING[:6], 1), ["Some rungs have one agent only, so this is descriptive"]),
    ],
)
def test_the_first_paragraph_says_what_was_found_and_how_sure_it_is(scores: Scores, said: list[str]) -> None:
    for words in said:
        assert words in first(scores)


def test_two_agents_a_rung_are_no_description_and_are_tested_within_seeds() -> None:
    both = ladder(RISING) | ladder(RISING, 1)
    assert "descriptive" not in first(both)
    assert "Jonckheere" in text(both)
    assert "not measured" not in text(both)
    apart = {(levels, number): score for number, (levels, score) in enumerate(zip(RUNGS, RISING, strict=True))}
    assert "Jonckheere" not in text(apart | {(levels, seed + 10): score for (levels, seed), score in apart.items()})


def test_the_shape_of_peoples_ratings_belongs_to_their_rungs() -> None:
    assert list(RUNGS) == list(published().levels)
    assert "as people rated" in text(ladder(RISING))
    assert "as people rated" not in text({(levels, 0): levels / 9 for levels in range(1, 8)})


def test_missing_numbers_are_dashes_and_unlimited_levels_come_last(tmp_path: Path) -> None:
    found = table({(0, 0): 0.5, (100, 0): None, (300, 0): 0.2})
    found["orbay2020"] = None
    told = results(found, [answer(found, "nature, hard")], {"nature, hard": ""}, [])
    assert "nan" not in told.lower()
    assert told.index("| n300-s0 | 300") < told.index("| n0-s0 | unlimited")
    assert "The pictures leave out agents of unlimited levels." in told
    for name, draw in FIGURES.items():
        draw(found, tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").stat().st_size > 5000


def test_checkpoints_of_another_bank_and_agents_without_a_curve_are_told() -> None:
    scores = ladder(RISING[:3])
    along = table(scores)
    along = along[along["trained"] & (along["layer"] == "2a") & (along["bank"] == "shared")]
    along = along.assign(completes=along["levels"].map({100: 0.5, 300: 0.6, 1000: np.nan}))
    told = text(scores, along)
    assert "nearest to 50.0% of training levels" in told
    assert "Left out, because they have no training curve: n1000-s0." in told
    assert "another shared bank" not in told
    assert "another shared bank than the agents above" in text(scores, along.assign(bank_sha256="other"))
