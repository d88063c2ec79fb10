"""Training in the real environment: resuming changes nothing, and other settings are refused."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from agents.checkpoint import CheckpointError, load_agent
from agents.ppo import PPOConfig
from agents.training import TrainConfig, Trainer, train
from rollouts.coinrun import FIRST_UNSEEN_LEVEL, EnvOptions
from rollouts.errors import InputError

SMALL = TrainConfig(
    network="compact",
    options=EnvOptions(num_levels=10),
    ppo=PPOConfig(num_envs=8, rollout_steps=32, minibatches=2, slice_size=64),
    total_steps=4 * 256,
    evaluation_episodes=0,
    checkpoint_minutes=1000,
)


def weights(agent_path: Path) -> torch.Tensor:
    return torch.cat([p.flatten() for p in load_agent(agent_path).network.state_dict().values()])


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_run_stopped_and_resumed_ends_with_the_same_weights(tmp_path: Path, precision: str) -> None:
    config = replace(SMALL, precision=precision)
    train(config, tmp_path / "whole")
    stops = iter([True, False, True])
    assert train(config, tmp_path / "parts", stop=lambda: next(stops)) is None
    assert train(config, tmp_path / "parts", stop=lambda: next(stops)) is None
    agent = train(config, tmp_path / "parts")
    assert agent is not None
    assert agent.steps == 4 * 256
    assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(tmp_path / "parts/agent.safetensors"))
    whole = load_agent(tmp_path / "whole/agent.safetensors")
    assert whole.curve == load_agent(tmp_path / "parts/agent.safetensors").curve


def test_two_trainers_in_one_process_do_not_disturb_each_other() -> None:
    first, second = Trainer(SMALL), Trainer(SMALL)
    for trainer in (first, second, second, first):
        torch.rand(3)
        trainer.step()
    for ours, theirs in zip(first.agent.network.parameters(), second.agent.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_training_changes_the_weights_and_reports() -> None:
    trainer = Trainer(SMALL)
    before = [p.clone() for p in trainer.agent.network.parameters()]
    progress = trainer.step()
    assert progress.steps == 256
    assert progress.scalars["steps_per_second"] > 0
    assert 0 < progress.scalars["entropy"] <= torch.log(torch.tensor(15.0)) + 1e-4
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.agent.network.parameters(), strict=True))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"options": EnvOptions(num_levels=11)}, "options"),
        ({"seed": 1}, "seed"),
        ({"network": "nature"}, "network"),
        ({"ppo": replace(SMALL.ppo, gamma=0.99)}, "ppo"),
    ],
)
def test_a_run_does_not_go_on_with_other_settings(tmp_path: Path, change: dict[str, object], named: str) -> None:
    trainer = Trainer(SMALL)
    trainer.step()
    trainer.save(tmp_path / "state.safetensors")
    with pytest.raises(CheckpointError, match=f"was trained with {named} = "):
        Trainer(replace(SMALL, **change)).load(tmp_path / "state.safetensors")  # type: ignore[arg-type]


def test_training_evaluates_on_both_kinds_of_levels(tmp_path: Path) -> None:
    agent = train(replace(SMALL, total_steps=256, evaluation_episodes=8), tmp_path)
    assert agent is not None
    assert agent.evaluation["training"]["levels"] == (0, 10)
    assert agent.evaluation["unseen"]["levels"][0] == FIRST_UNSEEN_LEVEL
    for found in agent.evaluation.values():
        low, high = found["interval"]
        assert found["episodes"] == 8
        assert 0 <= low <= found["completed"] <= high <= 1
        assert found["mean_return"] == pytest.approx(10 * found["completed"])


@pytest.mark.parametrize(
    "change",
    [
        {"total_steps": 0},
        {"precision": "float16"},
        {"network": "resnet"},
        {"options": EnvOptions(num_levels=10, start_level=FIRST_UNSEEN_LEVEL)},
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(SMALL, **change)  # type: ignore[arg-type]
