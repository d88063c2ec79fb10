"""Training in the real environment: resuming changes nothing, and other settings are refused."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import agents.training
from agents.checkpoint import load_agent, save_agent
from agents.computation import Computation
from agents.naming import AGENT
from agents.ppo import PPOConfig, RewardNormaliser
from agents.recipe import TrainConfig
from agents.running import carry_on, finished
from agents.states import STATE, going_on, lighten, read_state, write_state
from agents.tensors import CheckpointError
from agents.trainer import Progress, Trainer
from agents.training import milestone_path, train
from rollouts.coinrun.state import parse, serialize
from rollouts.env import FIRST_UNSEEN_LEVEL, EnvOptions, make_env, observe
from rollouts.errors import InputError

SMALL = TrainConfig(
    network="compact",
    options=EnvOptions(num_levels=10),
    ppo=PPOConfig(num_envs=8, rollout_steps=32, minibatches=2),
    computation=Computation(slice_size=64),
    total_steps=4 * 256,
    evaluation_episodes=0,
    checkpoint_minutes=1000,
)


def weights(agent_path: Path) -> torch.Tensor:
    return torch.cat([p.flatten() for p in load_agent(agent_path).network.state_dict().values()])


def stopped_after(updates: int) -> dict[str, Any]:
    """Arguments of `train` with which it stops when so many updates are done."""
    done: list[Progress] = []
    return {"report": done.append, "stop": lambda: len(done) >= updates}


@pytest.mark.parametrize(
    "computation",
    [
        Computation(layout="permuted"),
        Computation(layout="contiguous"),
        Computation(bfloat16=True, slice_size=64),
        Computation(slice_size=64, halves=2),
    ],
    ids=["plain", "contiguous", "fast", "halves"],
)
def test_a_run_stopped_and_resumed_ends_with_the_same_weights(tmp_path: Path, computation: Computation) -> None:
    config = replace(SMALL, computation=computation, deterministic=True)
    train(config, tmp_path / "whole")
    assert train(config, tmp_path / "parts", **stopped_after(1)) is None
    assert train(config, tmp_path / "parts", **stopped_after(2)) is None
    agent = train(config, tmp_path / "parts")
    assert agent is not None
    assert agent.steps == 4 * 256
    assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(tmp_path / "parts/agent.safetensors"))
    whole = load_agent(tmp_path / "whole/agent.safetensors")
    assert whole.curve == load_agent(tmp_path / "parts/agent.safetensors").curve


def test_milestones_are_the_agents_of_shorter_runs(tmp_path: Path) -> None:
    config = replace(SMALL, milestones=4)
    train(config, tmp_path / "long", **stopped_after(2))
    train(config, tmp_path / "long")
    kept = sorted(path.name for path in (tmp_path / "long").glob("agent*"))
    assert kept == [*(f"agent-{part}of4.safetensors" for part in (1, 2, 3)), "agent.safetensors"]
    train(replace(SMALL, total_steps=3 * 256), tmp_path / "short")
    milestone = milestone_path(tmp_path / "long", 3, 4)
    assert load_agent(milestone).steps == 3 * 256
    assert torch.equal(weights(milestone), weights(tmp_path / "short/agent.safetensors"))
    with pytest.raises(InputError, match="milestones is -1"):
        replace(SMALL, milestones=-1)


def test_episodes_that_the_clock_cuts_are_counted() -> None:
    """Every environment is put to ten steps before its end, and stands still: what does not die before is cut."""
    trainer = Trainer(SMALL)
    (env,) = trainer.envs
    states = [parse(state) for state in env.callmethod("get_state")]
    assert {int(state.episode["timeout"]) for state in states} == {SMALL.options.rules.most_steps} == {1000}
    for state in states:
        state.episode["cur_time"] = 990
    env.callmethod("set_state", [serialize(state) for state in states])
    trainer.episode_lengths[:] = 990
    with torch.no_grad():
        trainer.agent.network.policy.bias.zero_()[4] = 1000
    scalars = trainer.step().scalars
    ended = list(trainer.recent)
    assert len(ended) == 8
    assert (0.0, 1000) in ended
    assert max(length for _, length in ended) == 1000
    assert scalars["cut_episodes"] == ended.count((0.0, 1000)) / 8
    trainer.recent.extend([(10.0, 1000), (0.0, 999), (0.0, 1000)])
    assert trainer.step().scalars["cut_episodes"] == (ended.count((0.0, 1000)) + 1) / len(trainer.recent)


def test_the_agent_is_kept_before_it_is_evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evaluation that fails loses no training, and is all that the next start does, even without a state."""
    config = replace(SMALL, total_steps=256, evaluation_episodes=2)

    def fail(*arguments: object) -> None:
        raise OSError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr(agents.training, "evaluate", fail)
        with pytest.raises(OSError, match="no memory"):
            carry_on(config, tmp_path)
    trained = weights(tmp_path / AGENT)
    assert not finished(tmp_path, config)
    assert finished(tmp_path, replace(config, evaluation_episodes=0))
    (tmp_path / STATE).unlink()
    agent = carry_on(config, tmp_path)
    assert agent is not None
    assert set(agent.evaluation) == set(load_agent(tmp_path / AGENT).evaluation) == {"training", "unseen"}
    assert torch.equal(weights(tmp_path / AGENT), trained)
    assert finished(tmp_path, config)
    assert not finished(tmp_path, replace(config, total_steps=512))


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
    write_state(tmp_path / "state.safetensors", trainer)
    with pytest.raises(CheckpointError, match=f"was trained with {named} = "):
        read_state(tmp_path / "state.safetensors", Trainer(replace(SMALL, **change)))  # type: ignore[arg-type]


@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_run_goes_on_in_the_number_format_of_its_state(tmp_path: Path, bfloat16: bool) -> None:
    """As on a machine that would choose the other one; a deterministic run does not."""
    formats = [replace(SMALL, computation=Computation(bfloat16=which)) for which in (bfloat16, not bfloat16)]
    began, here = formats
    assert going_on(here, tmp_path) == here, "it begins as this machine computes"
    write_state(tmp_path / STATE, Trainer(began))
    assert going_on(here, tmp_path) == began
    read_state(tmp_path / STATE, Trainer(going_on(here, tmp_path)))
    fixed = replace(here, deterministic=True)
    assert going_on(fixed, tmp_path) == fixed
    with pytest.raises(CheckpointError, match=f"was trained with bfloat16 = {bfloat16}; it cannot go on with"):
        read_state(tmp_path / STATE, Trainer(fixed))


def test_a_state_without_environments_goes_on_with_new_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU's run writes, with the structure of its preset: two halves and many environments."""
    monkeypatch.setattr(TrainConfig, "saves_environments", False)
    config = replace(
        SMALL,
        network="clear",
        ppo=PPOConfig(num_envs=256, rollout_steps=2, minibatches=16, epochs=1),
        computation=Computation(halves=2),
        total_steps=6 * 512,
    )
    assert train(config, tmp_path, **stopped_after(1)) is None
    assert (tmp_path / STATE).stat().st_size < 5e6
    trainer = Trainer(config)
    untouched = observe(trainer.envs[0])[1]
    read_state(tmp_path / STATE, trainer)
    assert trainer.agent.steps == 512
    assert not np.array_equal(observe(trainer.envs[0])[1], untouched), "the levels of the run's beginning come again"
    assert all(observe(env)[2].all() for env in trainer.envs)
    again = Trainer(config)
    read_state(tmp_path / STATE, again)
    for one, other in zip(trainer.envs, again.envs, strict=True):
        assert np.array_equal(observe(one)[1], observe(other)[1])
    assert trainer.step().steps == 1024


def test_a_light_state_has_the_same_weights_and_second_moments_to_three_digits_and_goes_on(tmp_path: Path) -> None:
    trainer = Trainer(SMALL)
    for _ in range(2):
        trainer.step()
    write_state(tmp_path / STATE, trainer)
    lighten(tmp_path / STATE, tmp_path / "light.safetensors")
    assert (tmp_path / "light.safetensors").stat().st_size < 0.55 * (tmp_path / STATE).stat().st_size
    again = Trainer(SMALL)
    read_state(tmp_path / "light.safetensors", again)
    for ours, theirs in zip(again.agent.network.parameters(), trainer.agent.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)
        rounded, exact = (t.learner.optimiser.state[p] for t, p in ((again, ours), (trainer, theirs)))
        assert rounded["step"] == exact["step"] == 12
        torch.testing.assert_close(rounded["exp_avg_sq"], exact["exp_avg_sq"], rtol=2**-8, atol=0)
        assert exact["exp_avg"].any()
        assert not rounded["exp_avg"].any()
    assert again.agent.curve == trainer.agent.curve
    assert again.normaliser.variance == trainer.normaliser.variance
    assert again.step().steps == 3 * 256
    save_agent(tmp_path / "agent.safetensors", trainer.agent)
    with pytest.raises(CheckpointError, match="holds 'coinrun-agent-1', not a training state"):
        lighten(tmp_path / "agent.safetensors", tmp_path / "other.safetensors")


def test_halves_hold_different_environments_and_one_rollout_keeps_them_apart() -> None:
    trainer = Trainer(replace(SMALL, computation=Computation(halves=2)))
    first, second = (observe(env)[1] for env in trainer.envs)
    assert not np.array_equal(first, second)
    rollout = trainer._rollout()
    assert np.array_equal(rollout.frames[0].numpy(), np.concatenate([first, second]))
    last = np.concatenate([observe(env)[1] for env in trainer.envs])
    with torch.no_grad():
        logits, values = trainer.learner.forward(rollout.frames.flatten(0, 1))
        _, last_value = trainer.learner.forward(torch.from_numpy(last))
    chosen = logits.log_softmax(-1).gather(-1, rollout.actions.flatten()[:, None]).squeeze(-1)
    torch.testing.assert_close(rollout.values.flatten(), values, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.log_probs.flatten(), chosen, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(rollout.last_value, last_value, atol=1e-5, rtol=1e-4)


def test_a_rollout_is_what_the_environment_plays() -> None:
    """The same actions, played in an environment of its own, give the same frames, rewards and episode beginnings."""
    trainer = Trainer(SMALL)
    (states,) = [env.callmethod("get_state") for env in trainer.envs]
    rollout = trainer._rollout()
    env = make_env(8, SMALL.options, seed=99)
    env.callmethod("set_state", states)
    rewards, firsts = [], []
    for t in range(32):
        _, frames, first = observe(env)
        assert np.array_equal(frames, rollout.frames[t].numpy())
        assert np.array_equal(first, rollout.first[t].numpy())
        env.act(rollout.actions[t].numpy().astype(np.int32))
        reward, _, first = observe(env)
        rewards.append(reward)
        firsts.append(first)
    assert np.array_equal(firsts[-1], rollout.last_first.numpy())
    normaliser = RewardNormaliser(8, SMALL.ppo.gamma)
    expected = np.stack([normaliser(reward, first) for reward, first in zip(rewards, firsts, strict=True)])
    np.testing.assert_array_equal(rollout.rewards.numpy(), expected)


def test_training_evaluates_on_both_kinds_of_levels(tmp_path: Path) -> None:
    agent = train(replace(SMALL, total_steps=256, evaluation_episodes=8), tmp_path)
    assert agent is not None
    assert agent.evaluation["training"].levels == (0, 10)
    assert agent.evaluation["unseen"].levels[0] == FIRST_UNSEEN_LEVEL
    for evaluation in agent.evaluation.values():
        low, high = evaluation.interval
        assert evaluation.episodes == 8
        assert 0 <= low <= evaluation.completed <= high <= 1
        assert evaluation.mean_return == pytest.approx(10 * evaluation.completed)


@pytest.mark.parametrize(
    "change",
    [
        {"total_steps": 0},
        {"computation": Computation(halves=3)},
        {"network": "resnet"},
        {"options": EnvOptions(num_levels=10, start_level=FIRST_UNSEEN_LEVEL)},
    ],
)
def test_settings_that_cannot_be_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        replace(SMALL, **change)  # type: ignore[arg-type]


def test_the_trainer_needs_five_packages_only() -> None:
    """It runs where nothing but torch, NumPy, procgen, safetensors and pydantic is installed."""
    program = """
import sys
class Missing:
    names = "hydra omegaconf rich tensorboard matplotlib sklearn scipy skimage pandas pyarrow".split()
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in self.names:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
import agents.training
"""
    subprocess.run([sys.executable, "-c", program], check=True)
