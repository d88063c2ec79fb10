"""What RESULTS.md says of tables made by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rollouts.coinrun.table import COINRUN
from scoring.rules import version_numbered
from scoring.study.answer import answer
from scoring.study.figures import FIGURES
from scoring.study.published import published
from scoring.study.report import report
from scoring.study.text import results

RUNGS = (100, 300, 1000, 3000, 10_000, 30_000, 100_000)
Scores = dict[tuple[int, int], float | None]
"""The graded score of the agent of so many levels and of a seed."""


def table(scores: Scores, version: int = 2) -> pd.DataFrame:
    """Every row of a study of `nature` in one version; scores are the same with all features, layers and banks."""
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
            "version": version,
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
            "graded_without_surface" if version == 1 else "graded_by_objects": score,
        }
        for name in ("interpretable_fraction", "lift", "localisation"):
            about |= {name: 0.0, f"{name}_low": 0.0, f"{name}_high": 0.0}
        for kind in ("training", "unseen"):
            about |= {f"{kind}_completed": np.nan, f"{kind}_low": np.nan, f"{kind}_high": np.nan}
        for name in version_numbered(version).game(COINRUN).named("headline"):
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


def test_on_easy_it_is_told_that_unseen_levels_are_not_all_new() -> None:
    for mode in ("easy", "hard"):
        group = f"nature, {mode}"
        found = table(ladder(RISING[:2])).assign(group=group)
        found[["unseen_completed", "unseen_low", "unseen_high"]] = 0.5
        told = results(found, [answer(found, group)], {group: ""}, [])
        assert ("- Unseen levels: On easy unseen levels are not all new" in told) == (mode == "easy")
        assert ("with 100 training levels 11.5% of them" in told) == (mode == "easy")


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


def beside_each_other(later: pd.DataFrame, earlier: pd.DataFrame) -> pd.DataFrame:
    """Both, the earlier version's rows first: those that a study makes, of the default layer and without controls."""
    made = (earlier["layer"] == earlier["default_layer"]) & (earlier["features"] != "rotated")
    return pd.concat([earlier[made], later], ignore_index=True)


def apart(told: str) -> tuple[str, str]:
    """A text without the section of version 1, and that section."""
    before, heading, rest = told.partition("### Version 1, beside it\n\n")
    assert heading
    section, after, end = rest.partition("## Measured by Hilton")
    return before + after + end, section


def test_nothing_but_its_own_section_is_of_version_1(tmp_path: Path) -> None:
    later, earlier = table(ladder(RISING) | ladder(RISING, 1)), table(ladder(RISING[::-1]) | ladder(RISING, 1), 1)
    for column in earlier.select_dtypes("number").columns.difference(["levels", "seed", "steps", "version"]):
        earlier[column] = 777.0 + earlier["graded_score"] if column != "graded_score" else earlier[column] + 777
    along = [rows[rows["trained"] & (rows["bank"] == "shared")].assign(completes=0.5) for rows in (later, earlier)]
    one, both = tmp_path / "one", tmp_path / "both"
    alone = report(one, later, along[0])
    rest, section = apart(report(both, beside_each_other(later, earlier), beside_each_other(*along)))
    assert rest == alone
    assert "777." not in rest
    assert "777." in section
    names = {path.name for path in one.iterdir()}
    assert names == {"RESULTS.md", "training.png"} | {f"{name}.png" for name in FIGURES}
    for name in names - {"RESULTS.md"}:
        assert (one / name).read_bytes() == (both / name).read_bytes()


def test_both_versions_stand_beside_each_other_with_their_names(tmp_path: Path) -> None:
    later, earlier = table(ladder(RISING)), table(ladder([0.2, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7]), 1)
    earlier.loc[earlier["features"] == "channels", "interpretable_fraction"] = 0.25
    told = report(tmp_path, beside_each_other(later, earlier), None)
    assert told.split("\n\n")[1].startswith("**nature, hard** (version 2 of the score): the graded score rises")
    lines = apart(told)[1].strip().split("\n\n")[-1].splitlines()
    columns = [f"{number}, {features}" for number in ("graded score", "fraction") for features in ("nmf", "channels")]
    assert lines[0] == "| agent | " + " | ".join(f"{c}, version {v}" for c in columns for v in (2, 1)) + " |"
    assert lines[2] == "| n100-s0 | 0.100 | 0.200 | 0.100 | 0.200 | 0.00 | 0.00 | 0.00 | 0.25 |"
    assert lines[-2] == "| untrained | 0.010 | 0.010 | 0.010 | 0.010 | 0.00 | 0.00 | 0.00 | 0.25 |"
    # Two neighbours in another order: 1 - 6 * 2 / (7 * 48).
    assert lines[-1] == "| Spearman's ρ with levels | 1.00 | 0.96 | 1.00 | 0.96 | – | – | – | – |"
    assert len(lines) == 2 + len(RUNGS) + 2


def test_version_1_alone_is_told_as_it_was_shipped(tmp_path: Path) -> None:
    told = report(tmp_path, table(ladder(RISING), 1), table(ladder(RISING)).assign(completes=0.5))
    assert "version" not in told.lower()
    assert "- Surface: a feature on the tops of walls counts" in told
    assert "At equal completion" not in told  # those checkpoints were scored with another version
    assert "| levels | seed | coin | saw | enemy | crate | lava | surface |" in told


def test_version_2_is_tested_by_objects_alone_as_well(tmp_path: Path) -> None:
    """`docs/score.md` has it among the secondary tests; in version 1 it was exploratory."""
    scores = ladder([0.3, 0.2, 0.1, 0.4, 0.6, 0.7, 0.5])
    found = table(ladder(RISING)).assign(graded_by_objects=table(scores)["graded_score"])
    told = report(tmp_path, found, None)
    assert "| graded score, nmf, by objects alone | 0.750 | 0.0331 | " in told
    assert "goes from 0.300 on the first rung to 0.500 on the last, ρ = 0.75 (first factorisation)." in told
    assert "by objects alone" not in report(tmp_path, table(scores, 1), None)


def test_kinds_of_version_2_are_told_in_words() -> None:
    found = table(ladder(RISING[:3]))
    found.loc[found["levels"] == 300, "found_top"] = 1
    found[["kappa_foot_left", "kappa_lava"]] = None
    told = results(found, [answer(found, "nature, hard")], {"nature, hard": ""}, [])
    first = told.split("\n\n")[1]
    assert "is found for platform top on 300 levels; none on any rung for coin; saw; enemy; crate; wall facing" in first
    assert "(too rare to be judged: lava; foot of a step, left)" in first
    assert "| lava | platform top | wall facing left | wall facing right | the player | velocity squares |" in told
    assert "By coin, saw, enemy, crate and lava alone the graded score goes from 0.100 on" in told
