"""Collect a frame bank: python scripts/collect.py agent=zoo/compact-hard-all.safetensors bank=spread"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.banks import FILE, BankSettings, folder_name, load_or_play
from agents.computation import tune_process
from agents.naming import named_agents
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import picked
from rollouts.bank import FrameBank
from scoring.draw.edits import edits_figure
from scoring.draw.masks import concepts_figure, masks_figure
from scoring.output import readable_picture

PICTURE, CONCEPTS, EDITS = "masks.png", "concepts.png", "edits.png"


def folder(config: Mapping[str, Any]) -> str:
    """The players, the kind of bank, and what is not the default; many players as their number and a digest."""
    settings = picked(BankSettings, config)
    return folder_name(settings, [name for name, _ in named_agents(config["agent"])])


def task(config: DictConfig) -> str | None:
    values = plain(config)
    settings, players = picked(BankSettings, values), named_agents(values["agent"])
    tune_process()
    with run_folder() as run:
        played_before = (run / FILE).exists()
        bank = load_or_play(run / FILE, settings, players, track)
        pictures: list[tuple[str, Callable[[Path, FrameBank], None]]] = [(PICTURE, masks_figure)]
        if bank.options.rules.concepts:
            pictures = [(CONCEPTS, concepts_figure), (EDITS, edits_figure), *pictures]
        if played_before and all(readable_picture(run / name) for name, _ in pictures):
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        with track("Drawing", len(pictures)) as update:
            for name, draw in pictures:
                draw(run / name, bank)
                update(1, name)
        CONSOLE.print(
            f"{run / FILE}: {len(bank)} frames and {len(bank.pool)} to fit on, played by {', '.join(bank.players)}"
        )
        drawn = ", ".join(str(run / name) for name, _ in pictures)
        CONSOLE.print(f"{drawn}: some of them, with what is masked or moved")
    return None


if __name__ == "__main__":
    main(task, "collect", folder)
