"""Groups on a small bank: their checks have answers, and what they measured can be written and drawn."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from rollouts.errors import InputError
from scoring.subject import Subject
from scoring.validation.banks import banks
from scoring.validation.base import Outcome
from scoring.validation.by_hand import by_hand
from scoring.validation.choice import FEATURES, FIXED, HALVES, OBJECTS, WIDTHS, CurveRow, Curves
from scoring.validation.groups import GROUPS, chosen_groups
from scoring.validation.labels import labels
from scoring.validation.levels import Level
from scoring.validation.pairs import Pair, Pairs
from scoring.validation.permuted_targets import DistilledRow, PermutedTargets
from scoring.validation.planted_shares import PlantedRow, PlantedShares
from scoring.validation.published import Published
from scoring.validation.randomisation import Randomisation, RandomisedRow
from scoring.validation.rotation import rotation
from scoring.validation.run import GroupRun
from scoring.validation.shifted_masks import shifted_masks
from scoring.validation.untrained import Untrained, UntrainedRow

TERMS = {"graded": 0.1, "kappa": 0.2, "sign": -0.3, "causal": 0.4}
LEVEL = {name: Level(value, 0.01) for name, value in TERMS.items()}
DETAILS: dict[str, Any] = {
    "planted": PlantedShares(
        [
            PlantedRow(0, features, share, share, 0.5, 1.0, 0.4, 0.3, ["coin"])
            for features in ("channels", "nmf")
            for share in (0, 1)
        ]
    ),
    "untrained": Untrained(
        [
            UntrainedRow(**TERMS, network="clear", seed=seed, features=features, fraction=0.0)
            for features in ("channels", "nmf")
            for seed in range(2)
        ]
    ),
    "randomisation": Randomisation(
        [
            RandomisedRow(**TERMS, stage=stage, seed=0, spearman_signed=0.1, spearman_absolute=0.2, ssim=0.3)
            for stage in ("trained", "value")
        ],
        LEVEL,
        ["trained", "value"],
    ),
    "permuted_targets": PermutedTargets(
        {name: [DistilledRow(**TERMS, loss=0.09, fraction=0.0)] * 2 for name in ("right", "shuffled")}, LEVEL
    ),
    "published": Published([2.4, 0.3, 0.4], (2.0, 1.9, 2.2)),
    "pairs": Pairs([Pair("a", "nmf", "coin", 0.2, 0.9)]),
    "choice": Curves(
        [
            CurveRow(half, features, width, objects, fixed, 0.9 - fixed if features == "rotated" else 1 - fixed)
            for half, features, width, objects, fixed in product(HALVES, FEATURES, WIDTHS, OBJECTS, FIXED)
        ],
        (2, 0.125, 0.35),
    ),
}


def drawn(name: str, details: Any, folder: Path) -> int:
    """Bytes of a group's picture."""
    figure = GROUPS[name].figure
    assert figure is not None
    figure(details, folder / "picture.png")
    return (folder / "picture.png").stat().st_size


@pytest.mark.parametrize("name", ["by_hand", "shifted_masks", "rotation", "labels", "banks"])
def test_groups_can_be_run_written_and_drawn(name: str, subject: Subject, tmp_path: Path) -> None:
    run: dict[str, Any] = {
        "by_hand": lambda: by_hand(subject.bank, subject.evidence),
        "shifted_masks": lambda: shifted_masks(subject, "untrained"),
        "rotation": lambda: rotation({"untrained": subject}),
        "labels": lambda: labels(subject),
        "banks": lambda: banks(subject, [subject, subject]),
    }
    outcome = run[name]()
    assert drawn(name, outcome.details, tmp_path) > 5000
    json.dumps(GroupRun(name, 1.0, outcome.checks, outcome).to_json())
    for check in outcome.checks:
        assert check.passed in (True, False)


@pytest.mark.parametrize("name", DETAILS)
def test_details_can_be_drawn(name: str, tmp_path: Path) -> None:
    assert drawn(name, DETAILS[name], tmp_path) > 5000


def test_every_group_but_the_identities_is_drawn() -> None:
    assert [name for name, group in GROUPS.items() if group.figure is None] == ["identities"]


def test_details_are_written_row_by_row() -> None:
    """The names under which they have stood in `validation.json` from the first on."""

    def written(name: str) -> Any:
        return json.loads(json.dumps(GroupRun(name, 1.0, [], Outcome([], DETAILS[name])).to_json()["details"]))

    assert written("pairs") == {
        "rows": [{"agent": "a", "features": "nmf", "class": "coin", "kappa": 0.2, "causal": 0.9}]
    }
    assert written("published") == {"localisation": [2.4, 0.3, 0.4], "difference": [2.0, 1.9, 2.2]}
    row = TERMS | {"stage": "value", "seed": 0, "spearman_signed": 0.1, "spearman_absolute": 0.2, "ssim": 0.3}
    randomised = written("randomisation")
    assert randomised["rows"][1] == row
    assert randomised["level"] == {name: [value, 0.01] for name, value in TERMS.items()}
    assert randomised["stages"] == ["trained", "value"]
    assert written("permuted_targets")["rows"]["right"] == [TERMS | {"loss": 0.09, "fraction": 0.0}] * 2
    assert written("untrained")["rows"][0] == TERMS | {
        "network": "clear",
        "seed": 0,
        "features": "channels",
        "fraction": 0.0,
    }
    assert written("planted")["rows"][1] == {
        "seed": 0,
        "features": "channels",
        "share": 1,
        "fraction": 1,
        "graded": 0.5,
        "named": 1.0,
        "orbay2020": 0.4,
        "orbay_chance": 0.3,
        "planted": ["coin"],
    }


def test_groups_are_chosen_by_name() -> None:
    assert chosen_groups("all") == list(GROUPS)
    assert chosen_groups("pairs") == ["pairs"]
    assert chosen_groups(["pairs", "planted"]) == ["pairs", "planted"]
    with pytest.raises(InputError, match="only names 'plants'; the groups are identities, planted,"):
        chosen_groups(["pairs", "plants"])
