"""Which agents a study compares."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.checkpoint import save_agent, untrained_agent
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.study.members import checkpoints_along, grouped, readable, slug
from study_agents import trained, write_agents


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_agents(tmp_path_factory.mktemp("study"))


def test_agents_are_grouped_by_network_and_frames() -> None:
    agents = {"a": untrained_agent("compact", EnvOptions(), 1), "b": untrained_agent("nature", EnvOptions(), 1)}
    agents["c"] = replace(agents["a"], options=EnvOptions(paint_velocity=False))
    groups = grouped(agents)
    assert [next(iter(members)) for members in groups.values()] == ["a", "b", "c"]
    assert [len(members) for members in groups.values()] == [2, 2, 2]
    assert len({name for members in groups.values() for name in members}) == 6
    assert all(members["untrained-" + slug(group)].steps == 0 for group, members in groups.items())


def test_files_that_are_no_part_of_the_study_are_named_and_left_out(agents: Path, tmp_path: Path) -> None:
    save_agent(tmp_path / "fresh.safetensors", untrained_agent("nature", EnvOptions(), 0))
    with pytest.raises(InputError, match=r"fresh\.safetensors was never trained"):
        readable(tmp_path)
    checkpoints, unfit = checkpoints_along(agents.parent / "kept", readable(agents)[0])
    assert [agent.steps for agent in checkpoints["nature-n300"]] == [1000, 2000]
    assert checkpoints["nature-n100"] == []
    assert len(unfit) == 1
    checkpoints, unfit = checkpoints_along(agents.parent / "kept", {"nature-n300": trained(300, 3, 3000, 8.0)})
    assert checkpoints == {"nature-n300": []}
    assert sum("is of another training than nature-n300." in sentence for sentence in unfit) == 2
