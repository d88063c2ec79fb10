"""Agents by what a command line says of them, and settings as a part of a folder's name."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from agents.checkpoint import Agent, fingerprint, load_agent, untrained_agent
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.files import visible


def named_agents(spec: str | Sequence[str]) -> list[tuple[str, Agent]]:
    """Agents with names that no other weights share.

    A checkpoint's path, a folder of them, a list of both, or `untrained:NETWORK[:SEED]`, a fresh network that sees the
    same kind of frames as the first checkpoint of the list (hard and painted velocity where there is none).
    """
    specs = [name for text in ([spec] if isinstance(spec, str) else spec) for name in agent_files(text)]
    if not specs:
        raise InputError("agent is an empty list.")
    loaded = {text: load_agent(text) for text in specs if not text.startswith("untrained:")}
    options = next((agent.options for agent in loaded.values()), EnvOptions())
    agents = []
    for text in specs:
        if text in loaded:
            path = Path(text)
            name = path.parent.name if path.name == "agent.safetensors" else path.stem
            agents.append((f"{name}-{fingerprint(loaded[text])[:8]}", loaded[text]))
        else:
            _, network, *seed = text.split(":")
            number = seed[0] if seed else "0"
            if not number.isdecimal():
                raise InputError(f"{text} names the seed '{number}'; it must be a whole number.")
            agents.append((f"untrained-{network}-s{number}", untrained_agent(network, options, int(number))))
    return agents


def agent_files(spec: str) -> list[str]:
    """The agents of a folder by name, or `spec` itself where it is no folder; raises `InputError` for an empty one."""
    folder = Path(spec)
    if not folder.is_dir():
        return [spec]
    files = [str(path) for path in visible(folder, "*.safetensors")]
    if not files:
        raise InputError(f"{spec} is a folder without agents: no *.safetensors is in it.")
    return files


def only_agent(spec: str | Sequence[str]) -> tuple[str, Agent]:
    """The one agent that is named; raises `InputError` for a list."""
    agents = named_agents(spec)
    if len(agents) > 1:
        raise InputError("agent is a list; score one agent at a time, or use -m with agent=a,b.")
    return agents[0]


def differences(settings: Any, skip: tuple[str, ...] = ()) -> str:
    """'-name+value' for each field of a dataclass that is not at its default."""
    default = type(settings)()
    changed = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name not in skip and value != getattr(default, field.name):
            changed.append(f"-{field.name.replace('_', '')}{value}")
    return "".join(changed).replace("/", "_")
