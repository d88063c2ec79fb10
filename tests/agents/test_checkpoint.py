"""Agents survive the disk unchanged, and anything else is refused by name."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from agents.checkpoint import Agent, fingerprint, load_agent, load_weights, save_agent, untrained_agent
from agents.evaluation import Evaluation
from agents.networks import ActorCritic
from agents.tensors import CheckpointError, save_tensors
from rollouts.env import EnvOptions
from rollouts.errors import InputError


@pytest.fixture
def agent() -> Agent:
    agent = untrained_agent("compact", EnvOptions(num_levels=100, start_level=7), seed=3)
    agent.curve = [(16384, 2.5), (32768, 4.0)]
    agent.evaluation = {"unseen": Evaluation((0, 10), 8, 0.5, (0.2, 0.8), 5.0, 30.0)}
    return agent


def test_round_trip(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    loaded = load_agent(path, "compact")
    written = json.loads(json.dumps(agent.metadata()))
    assert json.loads(json.dumps(loaded.metadata())) == written
    assert (loaded.curve, loaded.evaluation) == (agent.curve, agent.evaluation)
    for name, tensor in agent.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], tensor)
    assert fingerprint(loaded) == fingerprint(agent)
    assert [p.name for p in tmp_path.iterdir()] == ["agent.safetensors"]


def test_untrained_agents_differ_by_seed_only(agent: Agent) -> None:
    same = untrained_agent("compact", agent.options, seed=3)
    other = untrained_agent("compact", agent.options, seed=4)
    assert fingerprint(same) == fingerprint(agent) != fingerprint(other)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        load_agent(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("keep", [0, 5, 200, 5000])
def test_a_truncated_file(agent: Agent, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load_agent(path)


def test_files_of_other_kinds(agent: Agent, tmp_path: Path) -> None:
    torch.save(agent.network.state_dict(), tmp_path / "pickle.pt")
    with pytest.raises(CheckpointError, match="not a complete safetensors file"):
        load_agent(tmp_path / "pickle.pt")
    save_file({"x": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(CheckpointError, match="has no metadata of this project"):
        load_agent(tmp_path / "foreign.safetensors")
    save_tensors(tmp_path / "state.safetensors", {"x": torch.zeros(1)}, {"format": "coinrun-training-2"})
    with pytest.raises(CheckpointError, match="not an agent"):
        load_agent(tmp_path / "state.safetensors")


def test_another_network(agent: Agent, tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    with pytest.raises(CheckpointError, match="holds a 'compact' network, not 'clear'"):
        load_agent(path, "clear")
    save_tensors(path, agent.network.state_dict(), agent.metadata() | {"network": "clear"})
    with pytest.raises(CheckpointError, match=r"has shape|lacks 'trunk"):
        load_agent(path)
    save_tensors(path, agent.network.state_dict(), agent.metadata() | {"network": "resnet"})
    with pytest.raises(CheckpointError, match="this version knows clear"):
        load_agent(path)
    incomplete = agent.metadata()
    del incomplete["options"]
    save_tensors(path, agent.network.state_dict(), incomplete)
    with pytest.raises(CheckpointError, match="has metadata that cannot be: options: Field required"):
        load_agent(path)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite(agent: Agent, tmp_path: Path, number: float) -> None:
    path = tmp_path / "agent.safetensors"
    with torch.no_grad():
        agent.network.value.weight[0, 3] = number
    save_agent(path, agent)
    with pytest.raises(CheckpointError, match=r"safetensors: the weights 'value\.weight' are not all finite numbers"):
        load_agent(path)


def test_weights_are_checked_before_any_is_copied(agent: Agent) -> None:
    before = fingerprint(agent)
    weights = {name: tensor + 1 for name, tensor in agent.network.state_dict().items()}
    weights["value.bias"][0] = float("nan")
    with pytest.raises(CheckpointError, match=r"state: the weights 'value\.bias' are not all finite numbers"):
        load_weights(agent.network, weights, "state")
    assert fingerprint(agent) == before


def test_an_action_set_of_another_size() -> None:
    with pytest.raises(CheckpointError, match="15 logits but the agent's action set has 9"):
        Agent(ActorCritic("compact", 15), EnvOptions(), actions=(4, 7, 1, 5, 8, 2, 3, 4, 4))
    with pytest.raises(CheckpointError, match="procgen does not have"):
        Agent(ActorCritic("compact", 2), EnvOptions(), actions=(0, 15))


def test_a_folder_that_cannot_be_written(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written"):
        save_agent(tmp_path / "file" / "agent.safetensors", agent)


def test_a_full_disk_leaves_the_old_checkpoint(agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "agent.safetensors"
    save_agent(path, agent)
    before = path.read_bytes()
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full to play a full disk")

    def write_to_full_disk(tensors: object, target: Path, metadata: object) -> None:
        target.write_bytes(before[:1000])
        with full.open("wb") as file:
            file.write(before)

    monkeypatch.setattr("agents.tensors.save_file", write_to_full_disk)
    with pytest.raises(InputError, match="No space left on device"):
        save_agent(path, agent)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["agent.safetensors"]
