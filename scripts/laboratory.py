"""Which explanation of an agent can be believed: python scripts/laboratory.py agent=PATH methods=all tests=all"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.banks import BankSettings, Named, obtain
from agents.computation import tune_process
from agents.naming import named_agents
from common.progress import CONSOLE, track
from common.values import picked
from rollouts.errors import InputError
from scoring.laboratory.report import OBJECTS, objects_figure, write_page
from scoring.laboratory.run import LaboratoryConfig, check, run, write_table

TABLE = "laboratory.parquet"
LISTS = ("methods", "tests", "targets")


def settings(config: Mapping[str, Any]) -> tuple[LaboratoryConfig, BankSettings]:
    """What is tested, and on which bank; raises `InputError` for a trajectory, which is of one environment."""
    lists = {key: config[key] if isinstance(config[key], list) else [config[key]] for key in LISTS}
    bank = picked(BankSettings, config)
    if bank.bank == "trajectory":
        raise InputError("bank is 'trajectory', of one environment; the laboratory's intervals need several.")
    return picked(LaboratoryConfig, {**config, **lists}), bank


def folder(config: Mapping[str, Any]) -> str:
    """`output` where it is given; else the agents, the bank and the number of frames."""
    if config["output"] is not None:
        return str(Path(str(config["output"])).absolute())
    agents = checked(config)
    chosen, bank = settings(config)
    return f"{'+'.join(name for name, _ in agents)}-{bank.name}-scenes{chosen.scenes}"


def checked(config: Mapping[str, Any]) -> list[Named]:
    """The agents; raises `InputError` for methods, tests or targets that one of them cannot have."""
    specs = config["agent"] if isinstance(config["agent"], list) else [config["agent"]]
    agents = named_agents(specs)
    for _, agent in agents:
        check(agent, settings(config)[0])
    return agents


def task(config: DictConfig) -> None:
    values = plain(config)
    agents = checked(values)
    chosen, bank_settings = settings(values)
    tune_process()
    with run_folder() as path:
        parts = []
        for name, agent in agents:
            bank = obtain(bank_settings, [(name, agent)], track, CONSOLE.print)
            parts.append(run(name, agent, bank, chosen, path / name, track))
        rows = pd.concat(parts, ignore_index=True)
        write_table(path / TABLE, rows)
        written = [path / TABLE, write_page(path, rows)]
        if "objects" in set(rows["test"]):
            objects_figure(path / OBJECTS, rows)
            written.append(path / OBJECTS)
        for file in written:
            CONSOLE.print(f"Written: {file}")


if __name__ == "__main__":
    main(task, "laboratory", folder)
