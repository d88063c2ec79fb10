"""Settings from configuration values: numbers however they are written, nested settings, errors naming the key."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from common.values import build, picked
from rollouts.errors import InputError


@dataclass(frozen=True)
class Inner:
    """Settings within settings."""

    rate: float = 0.1
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outer:
    """One field of each type."""

    steps: int = 1
    flag: bool = False
    name: str = "any"
    path: Path = Path()
    limit: float | None = None
    levels: tuple[int, ...] = ()
    inner: Inner = field(default_factory=Inner)


@pytest.mark.parametrize("written", [5000000, 5e6, "5e6", "5000000", "5_000_000"])
def test_a_whole_number_however_it_is_written(written: object) -> None:
    steps = build(Outer, {"steps": written}, "").steps
    assert (steps, type(steps)) == (5_000_000, int)


def test_every_type() -> None:
    values = {
        "steps": 2.0,
        "flag": True,
        "name": 7,
        "path": "a/b",
        "limit": "1e-3",
        "levels": [100, 1e3],
        "inner": {"rate": 1, "names": ["a", 2]},
    }
    inner = Inner(1.0, ("a", "2"))
    assert build(Outer, values, "") == Outer(2, True, "7", Path("a/b"), 0.001, (100, 1000), inner)
    assert build(Outer, {"limit": None}, "") == Outer()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 2.5}, "train.steps is 2.5; it must be a whole number."),
        ({"steps": "many"}, "train.steps is 'many'; it must be a number."),
        ({"steps": None}, "train.steps is None; it must be a number."),
        ({"flag": 1}, "train.flag is 1; it must be true or false."),
        ({"name": None}, "train.name is None; it must be a word."),
        ({"name": ["a", "b"]}, "train.name is ['a', 'b']; it must be a word."),
        ({"limit": float("inf")}, "train.limit is inf; it must be a number."),
        ({"levels": 100}, "train.levels is 100; it must be a list."),
        ({"levels": [1, 2.5]}, "train.levels is 2.5; it must be a whole number."),
        ({"inner": {"rate": "fast"}}, "train.inner.rate is 'fast'; it must be a number."),
        ({"inner": 3}, "train.inner is 3; it must be settings of its own."),
        ({"inner": {"rat": 3}}, "There is no setting train.inner.rat; there are rate, names."),
    ],
)
def test_a_sentence_names_the_key(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        build(Outer, values, "train")


def test_settings_are_picked_from_a_whole_configuration() -> None:
    config = {"rate": 3, "another": 1, "names": ["a"]}
    assert picked(Inner, config) == Inner(3.0, ("a",))
    assert picked(Inner, config, names=("given",)) == Inner(3.0, ("given",))
