"""Ranges are written where a setting is declared, and hold for whoever makes one."""

from dataclasses import dataclass
from typing import Annotated

import pytest
from annotated_types import Interval

from agents.banks import BankSettings
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from rollouts.env import EnvOptions, make_env
from rollouts.errors import InputError
from rollouts.ranges import Positive, Share, check_ranges, words
from scoring.settings import ScoreConfig


@dataclass(frozen=True)
class Settings:
    """A field of each form that can have a range, and one without."""

    share: Share = 0.5
    rate: Positive | None = None
    levels: tuple[Annotated[int, Interval(ge=1)], ...] = ()
    free: int = 0

    def __post_init__(self) -> None:
        check_ranges(self, "mine.")


def test_what_lies_within() -> None:
    Settings(0, 1e-9, (1, 5), -7)
    Settings(1, None, (), 7)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"share": 1.0000001}, "mine.share is 1.0000001; it must be from 0 to 1."),
        ({"share": float("nan")}, "mine.share is nan; it must be from 0 to 1."),
        ({"rate": 0}, "mine.rate is 0; it must be above 0."),
        ({"levels": (1, 0)}, "mine.levels is 0; it must be at least 1."),
    ],
)
def test_what_lies_outside(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError) as refusal:
        Settings(**settings)  # type: ignore[arg-type]
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (Interval(ge=0, le=100_000), "from 0 to 100,000"),
        (Interval(ge=0, lt=1), "at least 0 and below 1"),
        (Interval(gt=0, le=0.5), "above 0 and at most 0.5"),
        (Interval(gt=0, lt=1), "above 0 and below 1"),
        (Interval(le=3), "at most 3"),
    ],
)
def test_a_range_in_words(interval: Interval, said: str) -> None:
    assert words(interval) == said


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (PPOConfig, {"clip": -0.2}),
        (PPOConfig, {"learning_rate": 0}),
        (TrainConfig, {"evaluation_episodes": -1}),
        (TrainConfig, {"seed": 2**31 - 1}),
        (BankSettings, {"pool_frames": -64}),
        (BankSettings, {"env_threads": 100_000}),
        (ScoreConfig, {"bootstrap": 1}),
        (EnvOptions, {"num_levels": -1}),
    ],
)
def test_a_librarys_user_is_held_to_them_too(kind: type, values: dict[str, float]) -> None:
    ((name, value),) = values.items()
    with pytest.raises(InputError, match=f"^{name} is {value}; it must be "):
        kind(**values)


def test_environments_are_not_made_of_numbers_that_end_the_process() -> None:
    for change in ({"num": 0}, {"seed": -1}, {"seed": 2**31}, {"threads": -1}, {"threads": 100_000}):
        ((name, value),) = change.items()
        with pytest.raises(InputError, match=f"^{name} is {value}; it must be "):
            make_env(**{"num": 1, "options": EnvOptions(), "seed": 0, **change})  # type: ignore[arg-type]
    make_env(1, EnvOptions(), 2**31 - 1, threads=0)
