"""Which agents a study compares: trained ones of a folder, checkpoints along their trainings, untrained ones."""

from collections.abc import Mapping
from pathlib import Path

from agents.checkpoint import Agent, load_agent, untrained_agent
from agents.play import check_outputs
from rollouts.errors import InputError
from rollouts.files import visible
from scoring.study.table import group_name


def readable(folder: Path) -> tuple[dict[str, Agent], list[str]]:
    """Trained agents of a folder by file name, and a sentence for each file that is none.

    Raises `InputError` for a folder that is not there, or has no trained agent that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    agents, unread = {}, []
    for path in visible(folder, "*.safetensors"):
        try:
            agent = load_agent(path)
            check_outputs(str(path), agent)
        except InputError as error:
            unread.append(str(error))
            continue
        if agent.steps:
            agents[path.stem] = agent
        else:
            unread.append(f"{path} was never trained.")
    if not agents:
        raise InputError(f"{folder} has no agent that can be read{': ' + '; '.join(unread) if unread else ''}.")
    return agents, unread


def checkpoints_along(folder: Path, agents: Mapping[str, Agent]) -> tuple[dict[str, list[Agent]], list[str]]:
    """Of each agent the checkpoints in its subfolder, in order of steps, and a sentence for each that is none."""
    checkpoints: dict[str, list[Agent]] = {name: [] for name in agents}
    unread = []
    for name, agent in agents.items():
        for path in visible(folder / name, "agent-*of*.safetensors"):
            try:
                checkpoint = load_agent(path)
            except InputError as error:
                unread.append(str(error))
                continue
            if _training(checkpoint) == _training(agent):
                checkpoints[name].append(checkpoint)
            else:
                unread.append(f"{path} is of another training than {name}.")
        checkpoints[name].sort(key=lambda checkpoint: checkpoint.steps)
    return checkpoints, unread


def _training(agent: Agent) -> tuple[object, ...]:
    return group_name(agent), agent.options, agent.seed


def slug(group: str) -> str:
    """A group's name in names of files."""
    return group.replace(", ", "-").replace(" ", "-")


def grouped(agents: Mapping[str, Agent]) -> dict[str, dict[str, Agent]]:
    """Agents that can be compared, with an untrained network of their kind beside them."""
    groups: dict[str, dict[str, Agent]] = {}
    for name, agent in agents.items():
        groups.setdefault(group_name(agent), {})[name] = agent
    for group, members in groups.items():
        first = next(iter(members.values()))
        members[f"untrained-{slug(group)}"] = untrained_agent(first.network.kind, first.options, 0, first.actions)
    return groups
