"""Edit features out of an agent, and count what it then fails of; beside each, the same direction shuffled.

python scripts/edit.py agent=PATH layer=default features=nmf feature=all episodes=500
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from omegaconf import DictConfig

from agents.banks import BankSettings
from agents.checkpoint import Agent
from agents.naming import named_agents
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import build, whole
from rollouts.errors import InputError
from scoring.editing import EditConfig, edit, edit_folder, failures_table, read_played, requested
from scoring.settings import ScoreConfig

FILE = "edit.json"
SHARED = ("layer", "features", "target", "attribution", "steps", "components", "seed")
"""Settings that mean here what they mean in score.py; the others have no part in an edit."""


def settings(config: Mapping[str, Any]) -> EditConfig:
    """The settings that a configuration means; those of the score that it does not name are the defaults."""
    score = build(ScoreConfig, {key: config[key] for key in SHARED}, "")
    bank = build(BankSettings, {field.name: config[field.name] for field in fields(BankSettings)}, "")
    feature = None if config["feature"] == "all" else whole(config["feature"], "feature")
    return EditConfig(score, bank, feature, whole(config["episodes"], "episodes"))


def only_agent(config: Mapping[str, Any]) -> tuple[str, Agent]:
    """The one agent that is edited; raises `InputError` for a list."""
    agents = named_agents(config["agent"])
    if len(agents) > 1:
        raise InputError("agent is a list; edit one agent at a time, or use -m with agent=a,b.")
    return agents[0]


def folder(config: Mapping[str, Any]) -> str:
    return edit_folder(*only_agent(config), settings(config))


def task(config: DictConfig) -> str | None:
    values = plain(config)
    chosen = settings(values)
    name, agent = only_agent(values)
    request = requested(name, agent, chosen)
    with run_folder() as run:
        if len(read_played(run / FILE, request)) == request.rows:
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        CONSOLE.print(failures_table(edit(agent, chosen, request, run / FILE, track)))
        CONSOLE.print(f"Written: {run / FILE}")
    return None


if __name__ == "__main__":
    main(task, "edit", folder)
