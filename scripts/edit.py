"""Edit features out of an agent, and count what it then fails of; beside each, the same direction shuffled.

python scripts/edit.py agent=PATH layer=default features=nmf feature=all episodes=500
"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.banks import BankSettings
from agents.naming import only_agent
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import picked, whole
from scoring.editing.request import EditConfig, edit_folder, requested, selected
from scoring.editing.run import bank_to_fit_on, edit, read_played
from scoring.editing.table import failures_table
from scoring.settings import ScoreConfig

FILE = "edit.json"


def settings(config: Mapping[str, Any]) -> EditConfig:
    """The settings that a configuration means."""
    score, bank = picked(ScoreConfig, config), picked(BankSettings, config)
    feature = None if config["feature"] == "all" else whole(config["feature"], "feature")
    return EditConfig(score, bank, feature, whole(config["episodes"], "episodes"))


def folder(config: Mapping[str, Any]) -> str:
    return edit_folder(*only_agent(config["agent"]), settings(config))


def task(config: DictConfig) -> str | None:
    values = plain(config)
    chosen = settings(values)
    name, agent = only_agent(values["agent"])
    selected(agent, chosen)
    with run_folder() as run:
        bank = bank_to_fit_on(name, agent, chosen, track)
        request = requested(name, agent, chosen, bank)
        if len(read_played(run / FILE, request)) == request.rows:
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        CONSOLE.print(failures_table(edit(agent, chosen, bank, request, run / FILE, track)))
        CONSOLE.print(f"Written: {run / FILE}")
    return None


if __name__ == "__main__":
    main(task, "edit", folder)
