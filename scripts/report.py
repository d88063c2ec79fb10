"""Write the page in which an agent can be read: python scripts/report.py agent=PATH compare=untrained:compact:0"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.banks import BankSettings, Named, obtain
from agents.computation import tune_process
from agents.naming import differences, named_agents
from common.progress import CONSOLE, track
from common.values import picked
from rollouts.bank import content_sha256
from rollouts.errors import InputError
from rollouts.sealing import without_digest
from scoring.features.kinds import shown_kinds
from scoring.identity import identity
from scoring.pipeline import check
from scoring.report.build import check_players, score_agents, write_report
from scoring.report.page import INDEX, check_folder, is_finished
from scoring.report.views import checked_targets
from scoring.settings import ScoreConfig


def settings(config: Mapping[str, Any]) -> tuple[list[Named], BankSettings, ScoreConfig]:
    """The agent and the one beside it, the bank, and how they are scored; raises `InputError` for what has no page."""
    specs = [spec for spec in (config["agent"], config["compare"]) if spec is not None]
    if not all(isinstance(spec, str) for spec in specs):
        raise InputError("agent or compare is a list; a report shows one agent, or two side by side with compare=.")
    if str(config["bank"]) == "trajectory":
        raise InputError("bank is 'trajectory'; a report is scored on spread or on a bank's file.")
    scoring = picked(ScoreConfig, config)
    if scoring.features not in shown_kinds():
        raise InputError(f"features is '{scoring.features}'; a report shows {' or '.join(shown_kinds())}.")
    agents = named_agents(specs)
    if len(agents) == 2 and agents[0][0] == agents[1][0]:
        raise InputError(f"agent and compare are the same, {agents[0][0]}.")
    return agents, picked(BankSettings, config), scoring


def folder(config: Mapping[str, Any]) -> str:
    """`output` where it is given; else the agents, the layer, the features, the bank, and what is not the default."""
    if config["output"] is not None:
        output = Path(str(config["output"]))
        check_folder(output)
        return str(output.absolute())
    agents, bank, scoring = settings(config)
    layer, _ = check(agents[0][1], scoring)
    name = f"{'+'.join(name for name, _ in agents)}-{layer}-{scoring.features}-{bank.name}"
    return name + differences(scoring, skip=("layer", "features", "seed"))


def task(config: DictConfig) -> None:
    values = plain(config)
    agents, bank_settings, scoring = settings(values)
    targets = checked_targets([agent for _, agent in agents], values["targets"])
    for _, agent in agents:
        check(agent, scoring)
    made: dict[str, Any] = {
        "settings": {name: value for name, value in values.items() if name not in ("output", "env_threads")}
    }
    tune_process()
    before = check_folder(Path(HydraConfig.get().runtime.output_dir))
    with run_folder() as run:
        bank = obtain(bank_settings, agents, track, CONSOLE.print)
        check_players(bank, agents, bank_settings.bank)
        if unsure := without_digest({**dict(agents), bank_settings.bank: bank}):
            CONSOLE.print(unsure)
        played = obtain(bank_settings.trajectory, agents[:1], track, CONSOLE.print)
        made |= {
            "agents": {name: asdict(identity(agent, bank)) for name, agent in agents},
            "trajectory_sha256": content_sha256(played),
        }
        if is_finished(run, before, made):
            CONSOLE.print(f"{run} is finished; open {run / INDEX}")
            return
        scores = score_agents(agents, bank, scoring, track)
        CONSOLE.print(f"Open {write_report(run, agents, scores, played, targets, made, track)}")


if __name__ == "__main__":
    main(task, "report", folder)
