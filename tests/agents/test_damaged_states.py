"""Training states that were damaged, or made by somebody else: nothing is taken of them, and the one before goes on."""

import json
import shutil
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from agents.computation import Computation
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.states import KEPT, PREVIOUS, STATE, latest, lighten, read_state, resume, save_state, snapshot, write_state
from agents.tensors import CheckpointError, Damaged, load_tensors
from agents.trainer import Trainer
from flips import check_flips, flips, header_end, sample
from rollouts.env import EnvOptions
from rollouts.errors import InputError

ROOT = Path(__file__).parents[2]
TINY = TrainConfig(
    network="nature",
    options=EnvOptions(num_levels=3),
    ppo=PPOConfig(num_envs=2, rollout_steps=4, minibatches=1, epochs=1),
    computation=Computation(),
    total_steps=80,
    evaluation_episodes=0,
)
Change = Callable[[dict[str, Tensor], dict[str, Any]], object]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a state after two updates, and the one before it."""
    folder = tmp_path_factory.mktemp("run")
    trainer = Trainer(TINY)
    for _ in range(2):
        trainer.step()
        save_state(snapshot(trainer), folder)
    return folder


@pytest.fixture
def folder(run: Path, tmp_path: Path) -> Path:
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def content(trainer: Trainer) -> list[Any]:
    """Everything that a state may change of a trainer."""
    learner, normaliser = trainer.learner.optimiser.state_dict()["state"], trainer.normaliser
    tensors = [*trainer.agent.network.state_dict().values(), trainer.generator.get_state()]
    tensors += [value for moments in learner.values() for value in moments.values()]
    arrays = [normaliser.returns, trainer.episode_returns, trainer.episode_lengths]
    states = [state for env in trainer.envs for state in env.callmethod("get_state")]
    numbers = [normaliser.mean, normaliser.variance, normaliser.count, trainer.agent.steps]
    return [
        *(value.numpy().tobytes() for value in tensors),
        *(value.tobytes() for value in arrays),
        *(states, numbers, list(trainer.recent), list(trainer.agent.curve), dict(trainer.agent.training)),
    ]


def check_bits(path: Path, bits: list[int]) -> None:
    trainer = Trainer(TINY)

    def read() -> list[Any]:
        trainer.recent.clear()
        read_state(path, trainer)
        return content(trainer)

    check_flips(path, bits, read, Damaged)


def test_a_flipped_bit_is_refused_or_changes_nothing(folder: Path) -> None:
    path = folder / STATE
    end = header_end(path)
    check_bits(path, sample(0, end, 60) + sample(end, path.stat().st_size, 40))


@pytest.mark.slow
def test_many_flipped_bits_are_refused_or_change_nothing(folder: Path) -> None:
    path = folder / STATE
    end = header_end(path)
    check_bits(path, sample(0, end, 5000) + sample(end, path.stat().st_size, 1000))


def test_with_a_flipped_bit_the_state_before_goes_on(folder: Path) -> None:
    expected = Trainer(TINY)
    read_state(folder / PREVIOUS, expected)
    for _ in flips(folder / STATE, sample(0, (folder / STATE).stat().st_size, 3)):
        trainer, warnings = Trainer(TINY), list[str]()
        resume(trainer, folder, warnings.append)
        (sentence,) = warnings
        assert sentence.startswith(f"{folder / STATE} is damaged: its content does not have the SHA-256")
        assert sentence.endswith(f" Going on from {folder / PREVIOUS}.")
        assert content(trainer) == content(expected)


def rewrite(path: Path, change: Change) -> None:
    """Change a state as somebody would who knows nothing of digests."""
    tensors, metadata = load_tensors(path)
    del metadata["sha256"]
    change(tensors, metadata)
    save_file(tensors, path, {"metadata": json.dumps(metadata)})


def put(name: str, value: Callable[[Tensor], Tensor]) -> Change:
    return lambda tensors, metadata: tensors.update({name: value(tensors[name])})


def says(**values: Any) -> Change:
    return lambda tensors, metadata: metadata.update(values)


def without(name: str) -> Change:
    return lambda tensors, metadata: tensors.pop(name)


def environment(edit: Callable[[bytes], bytes]) -> Change:
    return put("env.00001", lambda state: torch.tensor(list(edit(state.numpy().tobytes())), dtype=torch.uint8))


WEIGHT, MOMENT = "network.policy.weight", "adam.policy.weight.exp_avg_sq"
CRAFTED: dict[str, tuple[Change, str]] = {
    "a weight is missing": (without(WEIGHT), f"lacks '{WEIGHT}', which a training state has."),
    "a moment is missing": (without(MOMENT), f"lacks '{MOMENT}', which a training state has."),
    "a step is missing": (without("adam.policy.weight.step"), "lacks 'adam.policy.weight.step', which a training"),
    "an environment is missing": (without("env.00001"), "lacks 'env.00001', which a training state has."),
    "the generator is missing": (without("generator"), "lacks 'generator', which a training state has."),
    "lengths are missing": (without("episode_lengths"), "lacks 'episode_lengths', which a training state has."),
    "one environment more": (lambda t, m: t.update({"env.00002": t["env.00001"].clone()}), "has 'env.00002', which"),
    "another tensor": (lambda t, m: t.update(x=torch.zeros(1)), "has 'x', which a training state does not have."),
    "another shape": (put(WEIGHT, lambda w: w[:3].clone()), f"'{WEIGHT}' has shape (3, 512), a training state needs"),
    "a moment's shape": (put(MOMENT, lambda w: w[:3].clone()), f"'{MOMENT}' has shape (3, 512), a training state"),
    "returns of one": (put("normaliser.returns", lambda w: w[:1].clone()), "'normaliser.returns' has shape (1,), a"),
    "whole weights": (put(WEIGHT, lambda w: w.long()), f"'{WEIGHT}' is in the number format int64; in a training"),
    "lengths as numbers": (put("episode_lengths", lambda w: w.double()), "'episode_lengths' is in the number format"),
    "a weight of NaN": (put(WEIGHT, lambda w: w * np.nan), f"the weights '{WEIGHT[8:]}' are not all finite numbers."),
    "a moment of infinity": (put(MOMENT, lambda w: w + np.inf), f"'{MOMENT}' does not hold finite numbers only."),
    "a moment below 0": (put(MOMENT, lambda w: w - 1), f"'{MOMENT}' holds numbers below 0."),
    "lengths below 0": (put("episode_lengths", lambda w: w - 9**9), "'episode_lengths' holds numbers below 0."),
    "returns of NaN": (put("episode_returns", lambda w: w * np.nan), "'episode_returns' does not hold finite numbers"),
    "a generator of zeros": (put("generator", lambda w: w * 0), "'generator' is no state of random numbers."),
    "a short generator": (put("generator", lambda w: w[:9].clone()), "'generator' is no state of random numbers."),
    "environments of zeros": (
        environment(lambda s: bytes(len(s))),
        "environment 1 cannot be restored: The state is of",
    ),
    "an empty environment": (environment(lambda s: b""), "environment 1 cannot be restored: The state ends inside"),
    "a cut environment": (environment(lambda s: s[:-1]), "environment 1 cannot be restored: The state ends inside"),
    "an environment of another version": (
        environment(lambda s: b"\7" + s[1:]),
        "environment 1 cannot be restored: The",
    ),
    "an environment without end": (
        environment(lambda s: s[:-4] + struct.pack("<i", 0)),
        "environment 1 cannot be restored: end_of_buffer is 0; it must be",
    ),
    "no steps": (lambda t, m: m.pop("steps"), "has metadata that cannot be: steps: Field required."),
    "steps below 0": (says(steps=-1), "has metadata that cannot be: steps is -1: Input should be greater"),
    "steps in words": (says(steps="x"), "has metadata that cannot be: steps is 'x': Input should be a valid integer."),
    "a normaliser of two": (says(normaliser=[0.0, 1.0]), "has metadata that cannot be: normaliser.2: Field required."),
    "a variance below 0": (
        says(normaliser=[0.0, -1.0, 1.0]),
        "has metadata that cannot be: normaliser.1 is -1.0: Input",
    ),
    "episodes in words": (says(recent=[["a", 1]]), "has metadata that cannot be: recent.0.0 is 'a': Input should be"),
    "a curve of one": (says(curve=[[1]]), "has metadata that cannot be: curve.0.1: Field required."),
    "a cost of nothing": (says(flops=None), "has metadata that cannot be: flops is None: Input should be a valid"),
    "a teacher of nothing": (
        says(distillation={}),
        "has metadata that cannot be: distillation.teacher: Field required.",
    ),
    "settings as a list": (says(fixed=[]), "has metadata that cannot be: fixed: Input should be an object."),
    "settings that cannot be": (
        lambda t, m: m["fixed"]["ppo"].update(num_envs=-1),
        "has metadata that cannot be: fixed.ppo.num_envs is -1: Input should be greater than or equal",
    ),
    "an agent": (says(format="coinrun-agent-1"), "holds 'coinrun-agent-1', not a training state"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_whatever_cannot_be_leaves_the_trainer_alone_and_the_state_before_goes_on(folder: Path, name: str) -> None:
    change, sentence = CRAFTED[name]
    rewrite(folder / STATE, change)
    trainer, warnings = Trainer(TINY), list[str]()
    before = content(trainer)
    with pytest.raises(Damaged) as error:
        read_state(folder / STATE, trainer)
    assert str(error.value).startswith(str(folder / STATE))
    assert sentence in str(error.value)
    assert content(trainer) == before
    resume(trainer, folder, warnings.append)
    assert warnings == [f"{error.value} Going on from {folder / PREVIOUS}."]
    assert trainer.agent.steps == 8
    assert trainer.step().steps == 16


def test_a_state_of_other_settings_is_an_error_though_there_is_one_before_it(folder: Path) -> None:
    other = Trainer(replace(TINY, seed=1))
    other.step()
    write_state(folder / STATE, other)
    with pytest.raises(CheckpointError, match="was trained with seed = 1; it cannot go on with 0"):
        resume(Trainer(TINY), folder, pytest.fail)


def test_a_teacher_that_is_damaged_is_no_damage_of_the_state(folder: Path, tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.safetensors"
    teacher.write_bytes(b"damaged")
    distillation = replace(TINY.distillation, teacher=str(teacher), steps=100, minibatch=8)
    rewrite(
        folder / STATE,
        says(distillation={"teacher": "0" * 64, "steps": 16, "epochs": 1, "minibatch": 8, "learning_rate": 1e-3}),
    )
    with pytest.raises(InputError, match=r"The teacher cannot be imitated: .*teacher\.safetensors is not a complete"):
        resume(Trainer(replace(TINY, distillation=distillation)), folder, pytest.fail)


def test_a_state_without_a_digest_goes_on_and_is_told(folder: Path) -> None:
    rewrite(folder / STATE, says())
    trainer, warnings = Trainer(TINY), list[str]()
    resume(trainer, folder, warnings.append)
    assert warnings == [f"{folder / STATE} was written before files had digests, so damage would not be noticed."]
    assert trainer.agent.steps == 16


def test_a_light_state_is_sealed_too(folder: Path) -> None:
    lighten(folder / STATE, folder / KEPT)
    assert "sha256" in load_tensors(folder / KEPT)[1]
    for _ in flips(folder / KEPT, [8 * (folder / KEPT).stat().st_size - 1]):
        with pytest.raises(Damaged, match="is damaged"):
            read_state(folder / KEPT, Trainer(TINY))


@pytest.mark.parametrize("path", sorted((ROOT / "ladder").rglob(KEPT)), ids=lambda path: path.parent.name)
def test_states_of_the_ladder_are_read(path: Path, tmp_path: Path) -> None:
    shutil.copy(path, tmp_path / KEPT)
    metadata = latest(tmp_path)
    assert metadata is not None
    config = TrainConfig(
        options=EnvOptions(**metadata["fixed"]["options"]),
        actions=metadata["fixed"]["actions"],
        ppo=PPOConfig(**metadata["fixed"]["ppo"]),
        distillation=replace(
            TrainConfig().distillation, teacher="gone", steps=metadata["distillation"]["steps"], epochs=3
        ),
        computation=Computation(bfloat16=metadata["fixed"]["bfloat16"]),
        total_steps=metadata["steps"] + 1,
    )
    trainer = Trainer(config)
    assert not read_state(tmp_path / KEPT, trainer)
    assert trainer.agent.steps == metadata["steps"]
