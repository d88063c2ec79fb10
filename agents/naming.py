"""Agents by what a command line says of them, and settings as a part of a folder's name."""

from collections.abc import Sequence
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any

from agents.checkpoint import Agent, fingerprint, load_agent, untrained_agent
from agents.play import check_outputs
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.files import visible
from rollouts.ranges import Seed, check

AGENT = "agent.safetensors"
"""The finished agent in a training's folder."""
LONGEST = 200
"""Bytes of a folder's name; file systems take 255, and some commands add to it."""


def named_agents(spec: str | Sequence[str]) -> list[tuple[str, Agent]]:
    """Agents with names that no other weights share.

    A checkpoint's path, a folder of them, a list of both, or `untrained:NETWORK[:SEED]`, a fresh network that sees the
    same kind of frames as the first checkpoint of the list (hard and painted velocity where there is none). Raises
    `InputError` for a network whose policy or value is not finite.
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
            name = path.parent.name if path.name == AGENT else path.stem
            agents.append((f"{name}-{fingerprint(loaded[text])[:8]}", loaded[text]))
        else:
            _, network, *seed = text.split(":")
            number = seed[0] if seed else "0"
            if not number.isdecimal():
                raise InputError(f"{text} names the seed '{number}'; it must be a whole number.")
            check(int(number), Seed, f"The seed of {text}")
            agents.append((f"untrained-{network}-s{number}", untrained_agent(network, options, int(number))))
    for name, agent in agents:
        check_outputs(name, agent)
    return agents


def agent_files(spec: str) -> list[str]:
    """The agents of a folder by name, or `spec` itself where it is no folder.

    A training's folder has one, `AGENT`, whatever it keeps beside it; a folder of trainings has those of the finished
    ones. Raises `InputError` for a folder without agents.
    """
    folder = Path(spec)
    if not folder.is_dir():
        return [spec]
    if (folder / AGENT).exists():
        return [str(folder / AGENT)]
    inside = visible(folder, "*.safetensors")
    if any(path.name.startswith("state.") for path in inside):
        raise InputError(f"{spec} is a training that is not finished: no {AGENT} is in it.")
    files = sorted(map(str, inside or visible(folder, f"*/{AGENT}")))
    if not files:
        raise InputError(f"{spec} is a folder without agents: no *.safetensors is in it, nor a finished training.")
    return files


def only_agent(spec: str | Sequence[str]) -> tuple[str, Agent]:
    """The one agent that is named; raises `InputError` for a list."""
    agents = named_agents(spec)
    if len(agents) > 1:
        raise InputError("agent is a list; score one agent at a time, or use -m with agent=a,b.")
    return agents[0]


def fitting(name: str) -> str:
    """The name of a folder as it can be one: not longer than `LONGEST`, and without what Hydra would interpolate.

    A name that is changed ends with a digest of what it was. An absolute path is left as it is.
    """
    if Path(name).is_absolute() or (len(name.encode()) <= LONGEST and "${" not in name):
        return name
    digest = sha256(name.encode(errors="surrogateescape")).hexdigest()[:8]
    beginning = name.replace("$", "_").encode()[: LONGEST - len(digest) - 1]
    return f"{beginning.decode(errors='ignore')}-{digest}"


def differences(settings: Any, skip: tuple[str, ...] = ()) -> str:
    """'-name+value' for each field of a dataclass that is not at its default."""
    default = type(settings)()
    changed = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name not in skip and value != getattr(default, field.name):
            changed.append(f"-{field.name.replace('_', '')}{value}")
    return "".join(changed).replace("/", "_")
