"""Whatever happens to a run, it goes on from its last whole state, to the same weights."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.checkpoint import load_agent
from agents.computation import Computation
from agents.ppo import TrainingError
from agents.recipe import TrainConfig
from agents.states import PREVIOUS, STATE, read_state, save_state, snapshot
from agents.tensors import CheckpointError
from agents.trainer import Trainer
from agents.training import train
from rollouts.errors import InputError
from test_training import SMALL, stopped_after, weights

EVERY_UPDATE = replace(SMALL, checkpoint_minutes=0, deterministic=True)

CHILD = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
torch.set_num_threads(1)
from test_safe_to_stop import LONG
from agents.training import train
print("started", flush=True)
train(LONG, Path(sys.argv[1]))
"""
LONG = replace(EVERY_UPDATE, total_steps=80 * 256)


def test_a_damaged_state_is_replaced_by_the_previous_one(tmp_path: Path) -> None:
    train(EVERY_UPDATE, tmp_path / "whole")
    parts = tmp_path / "parts"
    assert train(EVERY_UPDATE, parts, **stopped_after(3)) is None
    state = parts / STATE
    state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    warnings: list[str] = []
    agent = train(EVERY_UPDATE, parts, warn=warnings.append)
    assert len(warnings) == 1
    assert "is not a complete safetensors file" in warnings[0]
    assert warnings[0].endswith(f"Going on from {parts / PREVIOUS}.")
    assert agent is not None
    assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(parts / "agent.safetensors"))


def test_a_missing_state_is_replaced_by_the_previous_one(tmp_path: Path) -> None:
    """A kill can fall between the two renames of a save."""
    trainer = Trainer(EVERY_UPDATE)
    for _ in range(2):
        trainer.step()
        save_state(snapshot(trainer), tmp_path)
    (tmp_path / STATE).unlink()
    warnings: list[str] = []
    assert train(EVERY_UPDATE, tmp_path, warn=warnings.append) is not None
    assert len(warnings) == 1


def test_two_damaged_states_are_an_error_and_stay(tmp_path: Path) -> None:
    for name in (STATE, PREVIOUS):
        (tmp_path / name).write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        train(EVERY_UPDATE, tmp_path)
    assert (tmp_path / STATE).read_bytes() == b"damaged"


def test_total_steps_may_be_raised_and_threads_may_not_change(tmp_path: Path) -> None:
    train(replace(EVERY_UPDATE, total_steps=512), tmp_path / "raised")
    agent = train(EVERY_UPDATE, tmp_path / "raised")
    train(EVERY_UPDATE, tmp_path / "whole")
    assert agent is not None
    assert [steps for steps, _ in agent.curve] == sorted({steps for steps, _ in agent.curve})
    assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(tmp_path / "raised/agent.safetensors"))
    torch.set_num_threads(2)
    try:
        with pytest.raises(CheckpointError, match="was trained with torch_threads = 1"):
            train(replace(EVERY_UPDATE, total_steps=2048), tmp_path / "raised")
        assert train(replace(SMALL, total_steps=1280), tmp_path / "raised") is not None, "other runs may go on"
    finally:
        torch.set_num_threads(1)
    with pytest.raises(CheckpointError, match="was trained with computation = "):
        train(replace(EVERY_UPDATE, computation=Computation(), total_steps=2048), tmp_path / "raised")


def test_a_gradient_that_is_not_finite_ends_the_run_and_leaves_the_state(tmp_path: Path) -> None:
    train(EVERY_UPDATE, tmp_path, **stopped_after(1))
    before = (tmp_path / STATE).read_bytes()
    trainer = Trainer(EVERY_UPDATE)
    read_state(tmp_path / STATE, trainer)
    with torch.no_grad():
        trainer.agent.network.value.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match="is not finite"):
        trainer.step()
    assert (tmp_path / STATE).read_bytes() == before


def test_a_full_disk_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(EVERY_UPDATE)
    trainer.step()
    save_state(snapshot(trainer), tmp_path)
    before = (tmp_path / STATE).read_bytes()

    def full(tensors: object, target: Path, metadata: object) -> None:
        target.write_bytes(before[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("agents.tensors.save_file", full)
    with pytest.raises(InputError, match="No space left on device"):
        save_state(snapshot(trainer), tmp_path)
    assert (tmp_path / STATE).read_bytes() == before


class Countdown:
    """Asks to stop at the call of that number, and from then on."""

    def __init__(self, number: int) -> None:
        self.left = number

    def __call__(self) -> bool:
        self.left -= 1
        return self.left <= 0


def test_a_stop_at_any_moment_loses_the_step_under_way_and_nothing_else(tmp_path: Path) -> None:
    """An update can take longer than a cluster waits between its warning and the end of a job."""
    config = replace(EVERY_UPDATE, checkpoint_minutes=1000, total_steps=512)
    whole = train(config, tmp_path / "whole")
    assert whole is not None
    step = 32 + 3 * 256 // 64  # time steps of the rollout, slices of three epochs
    for number in (20, step, step + 33):
        folder = tmp_path / str(number)
        stop = Countdown(number)
        assert train(config, folder, stop=stop) is None
        assert stop.left == 0, "what is asked to stop asks no more"
        trainer = Trainer(config)
        read_state(folder / STATE, trainer)
        assert trainer.agent.steps == 256 * ((number - 1) // step)
        agent = train(config, folder)
        assert agent is not None
        assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(folder / "agent.safetensors"))
        assert agent.metadata() == whole.metadata()


def test_a_stop_during_the_evaluation_leaves_that_to_the_next_run(tmp_path: Path) -> None:
    config = replace(EVERY_UPDATE, checkpoint_minutes=1000, total_steps=256, evaluation_episodes=2)
    assert train(config, tmp_path, stop=Countdown(32 + 12 + 3)) is None
    assert load_agent(tmp_path / "agent.safetensors").evaluation == {}
    trainer = Trainer(config)
    read_state(tmp_path / STATE, trainer)
    assert trainer.finished
    agent = train(config, tmp_path, stop=Countdown(2 + 2 + 1))
    assert agent is not None
    assert {name: evaluation.episodes for name, evaluation in agent.evaluation.items()} == {"training": 2, "unseen": 2}


def test_a_snapshot_is_not_changed_by_what_comes_after_it() -> None:
    trainer = Trainer(EVERY_UPDATE)
    trainer.step()
    tensors, metadata = snapshot(trainer)
    copies, text = {name: tensor.clone() for name, tensor in tensors.items()}, json.dumps(metadata)
    trainer.step()
    assert all(torch.equal(tensor, copies[name]) for name, tensor in tensors.items())
    assert json.dumps(metadata) == text
    changed = snapshot(trainer)[0]
    assert not any(torch.equal(changed[name], tensors[name]) for name in tensors if name.startswith(("network", "env")))


def start(folder: Path) -> subprocess.Popen[str]:
    script = CHILD.format(tests=str(Path(__file__).parent))
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


@pytest.mark.kill
def test_a_run_killed_at_random_moments_ends_with_the_uninterrupted_weights(tmp_path: Path) -> None:
    """Twenty kills; every other one as soon as a checkpoint is being written."""
    train(LONG, tmp_path / "whole")
    generator = np.random.default_rng(0)
    killed = folder = tmp_path / "killed"
    kills = writing = 0
    while kills < 20:
        process = start(folder)
        if kills % 2:
            deadline = time.monotonic() + 60
            while not any(killed.glob(".state.new.*")) and time.monotonic() < deadline and process.poll() is None:
                pass
            writing += bool(list(killed.glob(".state.new.*")))
        else:
            time.sleep(float(generator.uniform(0.05, 1.0)))
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
        assert not (folder / "agent.safetensors").exists(), "the run is too short for 20 kills"
    assert kills == 20
    assert writing >= 5
    agent = train(LONG, folder)
    assert agent is not None
    assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(folder / "agent.safetensors"))
    steps = [at for at, _ in agent.curve]
    assert steps == sorted(set(steps)), "a step stands twice in the curve"


@pytest.mark.long
def test_signals_end_a_run_with_its_own_status_and_the_command_goes_on(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts/train.py"
    arguments = [
        "train.ppo.num_envs=8",
        "run.torch_threads=1",
        "run.evaluation_episodes=0",
        "train.total_steps=2048000",
    ]
    for number, steps in ((signal.SIGTERM, 32), (signal.SIGINT, 32), (signal.SIGUSR2, 32_768)):
        command = [sys.executable, str(script), *arguments, f"train.ppo.rollout_steps={steps}", "run.compiled=false"]
        process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        folder = tmp_path / f"runs/train/compact-hard-n0-s0-numenvs8-rolloutsteps{steps}"
        events: list[Path] = []
        deadline = time.monotonic() + 60
        while not events and time.monotonic() < deadline:
            events = [path for path in folder.glob("events*") if path.stat().st_mtime > time.time() - 2]
            time.sleep(0.1)
        time.sleep(2)
        second = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert second.returncode == 1
        assert "is in use by another process" in second.stderr
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 75
        assert "the same command goes on from" in stderr
        assert (folder / STATE).exists()


def test_every_setting_that_shapes_a_run_is_held_fast() -> None:
    """`distillation` by a check of its own: what it was in the steps that are done (test_distillation.py)."""
    shaping = {"network", "options", "actions", "ppo", "seed", "computation", "distillation"}
    running = {"total_steps", "env_threads", "checkpoint_minutes", "evaluation_episodes", "milestones", "deterministic"}
    assert set(TrainConfig.__dataclass_fields__) == shaping | running
    assert set(TrainConfig().fixed()) == {"network", "options", "actions", "ppo", "seed", "bfloat16"}
