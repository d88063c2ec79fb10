"""Score an agent: python scripts/score.py agent=PATH layer=2b features=nmf projection=none bank=spread"""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.banks import BankSettings, Named, obtain
from agents.computation import tune_process
from agents.naming import only_agent
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import picked
from rollouts.sealing import without_digest
from scoring.identity import identity
from scoring.naming import score_folder
from scoring.output import finished, write_score
from scoring.pipeline import check
from scoring.run import check_attribution, gather_tracked, score_tracked
from scoring.settings import ScoreConfig
from scoring.tables import comparison, features_table


def settings(config: Mapping[str, Any]) -> tuple[Named, BankSettings, ScoreConfig]:
    """The agent, the bank, and how it is scored."""
    return only_agent(config["agent"]), picked(BankSettings, config), picked(ScoreConfig, config)


def folder(config: Mapping[str, Any]) -> str:
    """The agent, its layer, the bank, and every setting that is not the default."""
    (name, agent), bank, scoring = settings(config)
    return score_folder(name, check(agent, scoring)[0], bank, scoring)


def task(config: DictConfig) -> str | None:
    (name, agent), bank_settings, scoring = settings(plain(config))
    tune_process()
    with run_folder() as run:
        bank = obtain(bank_settings, [(name, agent)], track, CONSOLE.print)
        bank.check_options(agent.options, name)
        if unsure := without_digest({name: agent, bank_settings.bank: bank}):
            CONSOLE.print(unsure)
        if finished(run, scoring, identity(agent, bank), CONSOLE.print):
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        check_attribution(name, agent, bank, scoring)
        score = score_tracked(name, agent, bank, gather_tracked(bank, scoring, track), scoring, track)
        paths = write_score(run, name, score, bank)
        CONSOLE.print(comparison([(name, score.record)]))
        CONSOLE.print(features_table(score))
        if lacking := score.record.headline.lacking:
            CONSOLE.print(lacking)
        CONSOLE.print("Written: " + ", ".join(map(str, paths)))
    return None


if __name__ == "__main__":
    main(task, "score", folder)
