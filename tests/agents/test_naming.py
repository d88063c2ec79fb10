"""Agents of a folder: those that are whole."""

import shutil
from pathlib import Path

import pytest

from agents.checkpoint import save_agent, untrained_agent
from agents.naming import agent_files
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.study.catalogue import write_catalogue
from scoring.study.members import readable


def test_left_overs_of_an_interrupted_write_are_no_agents(tmp_path: Path) -> None:
    agent = untrained_agent("nature", EnvOptions(num_levels=3), 0)
    agent.steps = 10
    whole, left = tmp_path / "one.safetensors", tmp_path / ".one.0zb7wzpy.safetensors"
    save_agent(whole, agent)
    shutil.copy(whole, left)
    assert agent_files(str(tmp_path)) == [str(whole)]
    assert readable(tmp_path)[1] == []
    assert list(readable(tmp_path)[0]) == ["one"]
    left.write_bytes(b"half of it")
    write_catalogue(tmp_path)
    assert "0zb7wzpy" not in (tmp_path / "README.md").read_text()
    whole.unlink()
    with pytest.raises(InputError, match=r"is a folder without agents: no \*\.safetensors is in it"):
        agent_files(str(tmp_path))
