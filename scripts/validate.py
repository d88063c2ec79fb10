"""Prove the score right before it is used: python scripts/validate.py published=openai.safetensors require=all"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.checkpoint import Agent
from agents.computation import tune_process
from agents.naming import named_agents
from common.progress import CONSOLE, track
from common.values import threads, whole
from rollouts.documents import write_json
from rollouts.errors import InputError
from rollouts.ranges import Seed
from scoring.validation.groups import chosen_groups
from scoring.validation.run import table, validate


class NotValid(InputError):
    """A check failed, or one that is required was not run."""


@dataclass(frozen=True)
class Settings:
    agent: Agent
    published: Agent | None
    groups: list[str]
    require_all: bool
    seed: int
    threads: int


def settings(config: Mapping[str, Any]) -> Settings:
    """The settings that a configuration means."""
    groups = chosen_groups(config["only"])
    if config["require"] not in ("available", "all"):
        raise InputError(f"require is '{config['require']}'; it can be available or all.")
    return Settings(
        named_agents(config["agent"])[0][1],
        named_agents(config["published"])[0][1] if config["published"] else None,
        groups,
        config["require"] == "all",
        whole(config["seed"], "seed", Seed),
        threads(config["threads"], "threads"),
    )


def folder(config: Mapping[str, Any]) -> str:
    """The agents that are validated on."""
    name = "+".join(name for key in ("agent", "published") if config[key] for name, _ in named_agents(config[key]))
    return f"{name}-s{whole(config['seed'], 'seed', Seed)}"


def task(config: DictConfig) -> None:
    chosen = settings(plain(config))
    torch.set_num_threads(chosen.threads)
    tune_process()
    agents = chosen.agent, chosen.published
    with run_folder() as run:
        validation = validate(*agents, chosen.groups, run, chosen.seed, chosen.threads, track)
        path = run / "validation.json"
        write_json(path, validation.to_json(*agents))
        CONSOLE.print(table(validation))
        CONSOLE.print(f"{validation.seconds / 60:.1f} minutes. Written: {path} and a picture a group")
        if unmet := validation.unmet(chosen.require_all):
            raise NotValid("These checks do not hold: " + "; ".join(unmet))


if __name__ == "__main__":
    main(task, "validate", folder)
