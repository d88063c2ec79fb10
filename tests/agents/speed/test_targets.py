"""What a benchmark refuses, and jobs that are measured in turn."""

from dataclasses import replace

import pytest

from agents.ppo import PPOConfig
from agents.speed.targets import Bench, in_turn
from rollouts.errors import InputError

BENCH = Bench("env", "compact", "cpu", threads=1, rounds=3, min_ratio=0, seed=0, ppo=PPOConfig())


def test_jobs_are_done_in_turn_and_their_medians_told() -> None:
    order: list[str] = []
    values = {"a": iter((3.0, 1.0, 2.0)), "b": iter((10.0, 4000.0, 20.0))}

    def job(name: str) -> float:
        order.append(name)
        return next(values[name])

    figures = in_turn("speed", {"a": lambda: job("a"), "b": lambda: job("b")}, rounds=3)
    assert order == ["a", "b"] * 3
    assert figures.document == {"speed": {"a": 2.0, "b": 20.0}}
    assert figures.printed == ["a: 2.00", "b: 20.00"]


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="rounds is 0; it must be at least 1"):
        replace(BENCH, rounds=0)
    with pytest.raises(InputError, match="There is no network 'resnet'"):
        replace(BENCH, network="resnet")
