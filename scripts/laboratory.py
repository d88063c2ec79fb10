"""Which explanation of an agent can be believed: python scripts/laboratory.py agent=PATH methods=all tests=all"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from agents.banks import BankSettings, obtain
from agents.computation import tune_process
from agents.naming import only_agent
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.values import picked
from rollouts.errors import InputError
from scoring.laboratory.report import OBJECTS, objects_figure, write_page
from scoring.laboratory.run import TABLE, LaboratoryConfig, check, run

LISTS = ("methods", "tests", "targets")


def settings(config: Mapping[str, Any]) -> tuple[LaboratoryConfig, BankSettings]:
    """What is tested, and on which bank; raises `InputError` for a trajectory, which is of one environment."""
    lists = {key: config[key] if isinstance(config[key], list) else [config[key]] for key in LISTS}
    bank = picked(BankSettings, config)
    if bank.bank == "trajectory":
        raise InputError("bank is 'trajectory', of one environment; the laboratory's intervals need several.")
    return picked(LaboratoryConfig, {**config, **lists}), bank


def folder(config: Mapping[str, Any]) -> str:
    name, agent = only_agent(config["agent"])
    chosen, bank = settings(config)
    check(agent, chosen)
    return f"{name}-{bank.name}-scenes{chosen.scenes}"


def task(config: DictConfig) -> None:
    values = plain(config)
    name, agent = only_agent(values["agent"])
    chosen, bank_settings = settings(values)
    check(agent, chosen)
    tune_process()
    with run_folder() as path:
        bank = obtain(bank_settings, [(name, agent)], track, CONSOLE.print)
        rows = run(name, agent, bank, chosen, path, track)
        written = [path / TABLE, write_page(path, rows)]
        if "objects" in set(rows["test"]):
            objects_figure(path / OBJECTS, rows)
            written.append(path / OBJECTS)
        for file in written:
            CONSOLE.print(f"Written: {file}")


if __name__ == "__main__":
    main(task, "laboratory", folder)
