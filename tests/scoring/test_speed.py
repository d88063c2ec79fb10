"""What a benchmark of masks and scores measures, on a few frames."""

import pytest

from agents.ppo import PPOConfig
from agents.speed.targets import Bench
from rollouts.collecting import BankPlan
from rollouts.errors import InputError
from rollouts.progress import untracked
from scoring.speed import TARGETS, score, target_named

BENCH = Bench("score", "compact", "cpu", threads=1, rounds=1, min_ratio=0, seed=0, ppo=PPOConfig())


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = BankPlan("spread", environments=4, per_environment=2, interval=20, consecutive=True, pool_frames=64)
    monkeypatch.setattr("scoring.speed.SPREAD", plan)


def test_masks_cost_more_than_one_render() -> None:
    figures = TARGETS["masks"](BENCH, untracked)
    (key, medians), *others = figures.document.items()
    assert (key, others) == ("milliseconds", [])
    assert 0 < medians["one render, ms"] < medians["all masks of a frame, ms"]


def test_every_stage_of_every_layer_is_timed() -> None:
    figures = score(BENCH)
    stages = ["play 512 frames and the pool", "masks, and frames without objects"]
    for layer in ("1a", "2a", "2b", "3a"):
        stages += [f"attribution at {layer}", f"nmf at {layer}", f"channels at {layer}"]
    assert list(figures.document["seconds"]) == stages
    assert min(figures.document["seconds"].values()) > 0
    assert len(figures.document["ratios"]) == 2
    assert min(figures.document["ratios"].values()) > 0
    assert str(figures.printed[len(stages)]).startswith("in all: ")


def test_targets_are_chosen_by_name() -> None:
    assert target_named("masks") is TARGETS["masks"]
    with pytest.raises(InputError, match="target is 'trian'; it can be train, changes, env, masks, score"):
        target_named("trian")
