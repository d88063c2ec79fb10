"""Let people rate features, blind: the rating page on this machine, and what the ratings say.

python scripts/rate.py 'agents=[a.safetensors,b.safetensors]' 'raters=[anna,ben]'
python scripts/rate.py export
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from common.command import main, plain
from agents.checkpoint import fingerprint
from agents.computation import tune_process
from common.progress import CONSOLE, track
from common.values import picked, whole
from rollouts.errors import InputError
from rollouts.locks import locked
from rollouts.ranges import Threads
from scoring.rating.answers import Answers
from scoring.rating.export import agents_table, agreement_table, export
from scoring.rating.making import candidates, make
from scoring.rating.served import ANSWERS
from scoring.rating.server import check_port
from scoring.rating.serving import turn_into_server
from scoring.rating.settings import RatingConfig, raters_named
from scoring.rating.study import load, vacant


def listed(value: Any) -> list[str]:
    """What is one, several or none in a configuration."""
    if value is None:
        return []
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def make_study(folder: Path, config: Mapping[str, Any]) -> None:
    """Score the agents that are named, and make the study of their features."""
    if config["agents"] is None:
        raise InputError(f"There is no rating study at {folder}; agents=[…] says whose features to rate.")
    settings, env_threads = picked(RatingConfig, config), whole(config["env_threads"], "env_threads", Threads)
    tune_process()
    make(folder, candidates(listed(config["agents"])), settings, env_threads, track, CONSOLE.print)


def check_study(folder: Path, config: Mapping[str, Any], raters: Sequence[str]) -> int:
    """The port on which a study can be served, with `raters` added to those who are there.

    Raises `InputError` for a study without raters, or of other agents or settings than are named, if any are.
    """
    weights = [fingerprint(candidate.agent) for candidate in candidates(listed(config["agents"]))]
    port, settings = whole(config["port"], "port"), picked(RatingConfig, config)
    study = load(folder)
    study.check_agents()
    if weights:
        study.check_same(weights, settings, folder)
    check_port(port)
    answers = Answers(folder / ANSWERS)
    answers.add_raters(raters)
    if not answers.raters():
        raise InputError("The study has no raters yet; raters=[…] names them.")
    return port


def task(config: DictConfig) -> None:
    values = plain(config)
    folder = Path(str(values["study"]))
    if values["export"]:
        summary, paths = export(folder)
        CONSOLE.print(agents_table(summary))
        CONSOLE.print(agreement_table(summary))
        CONSOLE.print("Written: " + ", ".join(map(str, paths)))
        return
    raters = raters_named(listed(values["raters"]))
    if vacant(folder):
        if not raters:
            raise InputError("raters is an empty list; a study is made for somebody.")
        check_port(whole(values["port"], "port"))
        make_study(folder, values)
    with locked(folder, warn=CONSOLE.print):
        port = check_study(folder, values, raters)
    turn_into_server(folder, port)


if __name__ == "__main__":
    sys.argv[1:] = ["export=true" if argument == "export" else argument for argument in sys.argv[1:]]
    main(task, "rate")
