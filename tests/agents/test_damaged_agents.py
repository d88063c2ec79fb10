"""Agents' files that were damaged, or made by somebody else: the same agent, or one sentence."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from agents.checkpoint import Agent, fingerprint, load_agent, save_agent, untrained_agent
from agents.evaluation import Evaluation
from agents.tensors import CheckpointError, save_tensors
from flips import check_flips, flips, header_end, sample
from rollouts.env import EnvOptions
from rollouts.sealing import without_digest


def small(path: Path) -> Agent:
    """An agent with something in every field, written to `path` in half the space."""
    agent = untrained_agent("nature", EnvOptions(num_levels=100, start_level=7), seed=3, actions=(0, 4, 7))
    agent.steps, agent.curve = 32768, [(16384, 2.5), (32768, 4.0)]
    agent.evaluation = {"unseen": Evaluation((0, 10), 8, 0.5, (0.2, 0.8), 5.0, 30.0)}
    agent.training = {"flops": 5, "ppo": {"epochs": 3}, "anything": [None, "else"]}
    save_agent(path, agent, half=True)
    return load_agent(path)


def content(agent: Agent) -> tuple[Any, ...]:
    return fingerprint(agent), agent.metadata(), agent.checked


def test_a_flipped_bit_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    small(path)
    end = header_end(path)
    bits = sample(0, end, 150) + sample(end, path.stat().st_size, 50)
    check_flips(path, bits, lambda: content(load_agent(path)), CheckpointError)


@pytest.mark.slow
def test_every_flipped_bit_of_the_header_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    small(path)
    end = header_end(path)
    bits = [*range(8 * end), *sample(end, path.stat().st_size, 2000)]
    check_flips(path, bits, lambda: content(load_agent(path)), CheckpointError)


def test_a_flipped_bit_in_the_weights_is_told_as_damage(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    small(path)
    for _ in flips(path, [8 * path.stat().st_size - 9]):
        with pytest.raises(CheckpointError) as error:
            load_agent(path)
    assert str(error.value) == f"{path} is damaged: its content does not have the SHA-256 that was written with it."


def edited(
    path: Path, change: Callable[[dict[str, Any]], object], tensors: dict[str, torch.Tensor] | None = None
) -> None:
    """Write the small agent with another document, as somebody would who knows nothing of digests."""
    agent = small(path)
    document = json.loads(json.dumps(agent.metadata()))
    change(document)
    save_file(tensors or load_file(path), path, {"metadata": json.dumps(document)})


def test_files_without_a_digest_are_read_and_told(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    agent = small(path)
    assert agent.checked
    edited(path, lambda document: None)
    before = load_agent(path)
    assert not before.checked
    assert fingerprint(before) == fingerprint(agent)
    assert without_digest({"one": agent}) is None
    sentence = "two: written before files had digests, so damage would not be noticed."
    assert without_digest({"one": agent, "two": before}) == sentence


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": "x"}, "steps is 'x': Input should be a valid integer"),
        ({"steps": float("nan")}, "cannot be read: Out of range float values"),
        ({"steps": -5}, "steps is -5: Input should be greater than or equal to 0"),
        ({"steps": 1e30}, "steps is 1e+30: Input should be a valid integer"),
        ({"steps": 10**30}, f"steps is {10**30}: Input should be less than {2**63}"),
        ({"steps": True}, "steps is True: Input should be a valid integer"),
        ({"seed": 1.5}, "seed is 1.5: Input should be a valid integer"),
        ({"seed": None}, "seed is None: Input should be a valid integer"),
        ({"evaluation": []}, "evaluation: Input should be an object"),
        ({"evaluation": {"unseen": {}}}, "evaluation.unseen.levels: Field required"),
        ({"evaluation": {"unseen": {"completed": 1.5}}}, "completed is 1.5: Input should be less than or equal to 1"),
        ({"options": asdict(EnvOptions()) | {"paint_velocity": "no"}}, "options.paint_velocity is 'no': Input should"),
        ({"options": asdict(EnvOptions()) | {"num_levels": 1.5}}, "options.num_levels is 1.5: Input should"),
        ({"options": asdict(EnvOptions()) | {"num_levels": -1}}, "options.num_levels is -1"),
        ({"options": asdict(EnvOptions()) | {"colour": 1}}, "options.colour is 1: Unexpected keyword argument"),
        ({"curve": [[1]]}, "curve.0.1: Field required"),
        ({"curve": [["a", "b"]]}, "curve.0.0 is 'a': Input should be a valid integer"),
        ({"num_actions": 10**9}, "num_actions is 1000000000, but 3 actions are named"),
        ({"num_actions": -1}, "num_actions is -1, but 3 actions are named"),
        (
            {"num_actions": 5, "actions": [0] * 5},
            "'policy.weight' has shape (3, 512), a 'nature' network needs (5, 512)",
        ),
        ({"actions": [0, 4, 15]}, "actions.2 is 15: Input should be less than 15"),
        ({"network": ["nature"]}, "holds a '['nature']' network; this version knows"),
        ({"training": {"flops": "many"}}, "has metadata that cannot be: training: "),
        ({"training": {"distillation": None}}, "has metadata that cannot be: training: "),
        ({"colour": "red"}, "colour is 'red': Unexpected keyword argument"),
        ({"sha256": None}, "is damaged: its content does not have the SHA-256"),
        ({"sha256": "0" * 64}, "is damaged: its content does not have the SHA-256"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else "",
)
def test_metadata_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = tmp_path / "agent.safetensors"

    def deep(document: dict[str, Any]) -> None:
        for name, value in change.items():
            if name == "evaluation" and value and value["unseen"]:
                document[name]["unseen"] |= value["unseen"]
            else:
                document[name] = value

    edited(path, deep)
    with pytest.raises(CheckpointError) as error:
        load_agent(path)
    assert str(error.value).startswith(f"{path} ") or str(error.value).startswith(f"{path}: ")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[" * 100_000, "has metadata that cannot be read: "),
        ('{"steps": 1, "steps": 2}', "has metadata that cannot be read: a key stands there twice."),
        ('{"steps": 1e999}', "has metadata that cannot be read: Out of range float values"),
        ('{"steps": ' + "9" * 5000 + "}", "has metadata that cannot be read: Exceeds the limit"),
        ("[]", "has no metadata of this project."),
        ("null", "has no metadata of this project."),
        ("{}", "holds 'None', not an agent"),
        ("{", "has metadata that cannot be read: "),
    ],
    ids=["deep", "twice", "infinite", "digits", "list", "null", "empty", "cut"],
)
def test_documents_that_are_none_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "agent.safetensors"
    save_file({"x": torch.zeros(1)}, path, {"metadata": text})
    with pytest.raises(CheckpointError, match=re.escape(sentence)):
        load_agent(path)


@pytest.mark.parametrize(
    "dtype", [torch.int32, torch.int64, torch.uint8, torch.bool, torch.complex64, torch.float8_e5m2]
)
def test_weights_that_are_no_real_numbers_are_refused(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "agent.safetensors"
    agent = small(path)
    weights = agent.network.state_dict() | {"value.bias": torch.zeros(1).to(dtype)}
    edited(path, lambda document: None, weights)
    with pytest.raises(CheckpointError, match=r"'value.bias' (is )?in the number format \w+; "):
        load_agent(path)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_weights_of_every_width_are_read(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "agent.safetensors"
    agent = small(path)
    save_tensors(path, {name: w.to(dtype) for name, w in agent.network.state_dict().items()}, agent.metadata())
    weights = load_agent(path).network.state_dict()
    for name, wanted in agent.network.state_dict().items():
        assert torch.equal(weights[name], wanted.to(dtype).float())


def test_weights_that_float32_cannot_hold_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    agent = small(path)
    weights = {name: w.double() for name, w in agent.network.state_dict().items()}
    weights["value.bias"][0] = 1e300
    save_tensors(path, weights, agent.metadata())
    with pytest.raises(CheckpointError, match=r"the weights 'value\.bias' are not all finite numbers"):
        load_agent(path)


def test_metadata_that_is_no_json_is_not_written(tmp_path: Path) -> None:
    agent = small(tmp_path / "agent.safetensors")
    agent.curve = [(1, float("nan"))]
    with pytest.raises(CheckpointError, match=r"cannot be written: curve\.0\.1 is no finite number"):
        save_agent(tmp_path / "agent.safetensors", agent)
    assert load_agent(tmp_path / "agent.safetensors").curve == [(16384, 2.5), (32768, 4.0)]
