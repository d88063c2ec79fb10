"""The whole study from a folder of agents: every agent scored, a table, pictures, RESULTS.md.

Scores of version 1 stand in the table, and in a section of RESULTS.md, beside those of a later version.

python scripts/reproduce.py agents=zoo/ladder output=results
python scripts/reproduce.py agents=zoo/ladder output=results from_table=true
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from common.command import main, plain
from agents.banks import BankSettings
from agents.computation import tune_process
from common.progress import CONSOLE, track
from common.values import convert, picked, threads
from rollouts.locks import locked
from scoring.settings import ScoreConfig
from scoring.study.members import checkpoints_along, grouped, readable
from scoring.study.report import first_table, report
from scoring.study.rows import Study
from scoring.study.run import score_all
from scoring.study.table import check_version, read


def settings(config: Mapping[str, Any]) -> Study:
    """Where the study lies, how its banks are played, from which seed, and how its agents are scored."""
    env_threads = threads(config["env_threads"], "env_threads")
    bank = picked(BankSettings, config, env_threads=env_threads)
    return Study(Path(config["output"]), bank, picked(ScoreConfig, config, seed=ScoreConfig.seed))


def task(config: DictConfig) -> None:
    values = plain(config)
    study, torch_threads = settings(values), threads(values["torch_threads"], "torch_threads")
    from_table = convert(values["from_table"], bool, "from_table")
    shipped = Path(values["agents"])
    along = (study.milestones, shipped / study.milestones.name)
    agents, unread = readable(shipped)
    checkpoints, unfit = checkpoints_along(Path(values["milestones"]), agents)
    if not from_table:
        for path in (study.table, *along):
            check_version(path, study.versions)
    torch.set_num_threads(torch_threads)
    tune_process()
    for sentence in unread + unfit:
        CONSOLE.print(f"Left out: {sentence}")
    with locked(study.output, warn=CONSOLE.print):
        if not from_table:
            score_all(study, grouped(agents), checkpoints, track)
        text = report(study.output, read(study.table), first_table(*along), unread + unfit)
    CONSOLE.print(text.split("\n\n")[1])
    CONSOLE.print(f"Written: {study.output / 'RESULTS.md'}, its pictures, and {study.table}")


if __name__ == "__main__":
    main(task, "reproduce")
