"""Collect a frame bank: python scripts/collect.py agent=zoo/compact-hard-all.safetensors bank=spread"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from agents.banks import FILE, BankSettings, folder_name, load_or_play
from agents.computation import tune_process
from agents.naming import named_agents
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import picked
from scoring.draw.masks import concepts_figure, masks_figure

PICTURE, CONCEPTS = "masks.png", "concepts.png"


def folder(config: Mapping[str, Any]) -> str:
    """The players, the kind of bank, and what is not the default; many players as their number and a digest."""
    settings = picked(BankSettings, config)
    return folder_name(settings, [name for name, _ in named_agents(config["agent"])])


def task(config: DictConfig) -> str | None:
    values = plain(config)
    settings, players = picked(BankSettings, values), named_agents(values["agent"])
    tune_process()
    with run_folder() as run:
        finished = (run / PICTURE).exists() and (run / FILE).exists()
        bank = load_or_play(run / FILE, settings, players, track)
        if finished:
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        if bank.options.rules.concepts:
            concepts_figure(run / CONCEPTS, bank)
        masks_figure(run / PICTURE, bank)
        CONSOLE.print(
            f"{run / FILE}: {len(bank)} frames and {len(bank.pool)} to fit on, played by {', '.join(bank.players)}"
        )
        CONSOLE.print(f"{run / PICTURE}, {CONCEPTS}: some of them, with what is masked")
    return None


if __name__ == "__main__":
    main(task, "collect", folder)
