"""Film a trajectory with attribution over it: python scripts/video.py agent=PATH output=trajectory.mp4"""

from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from common.command import main, plain
from agents.banks import BankSettings, obtain
from agents.computation import tune_process
from agents.naming import only_agent
from common.progress import CONSOLE, track
from common.values import picked, whole
from rollouts.errors import InputError
from scoring.pipeline import check
from scoring.report.film import check_film, film
from scoring.settings import ScoreConfig


def task(config: DictConfig) -> None:
    values = plain(config)
    output = Path(str(values["output"]))
    first, last, rate = (whole(values[key], key) for key in ("first", "last", "rate"))
    check_film(output, rate)
    name, agent = only_agent(values["agent"])
    settings, scoring = picked(BankSettings, values).trajectory, picked(ScoreConfig, values)
    layer, _ = check(agent, replace(scoring, features="channels"))
    if not 0 <= first <= last < settings.frames:
        raise InputError(
            f"first is {first} and last is {last}; they must be in order, from 0 to {settings.frames - 1}."
        )
    tune_process()
    bank = obtain(settings, [(name, agent)], track, CONSOLE.print)
    with track(f"Attributing {name}", last + 1 - first) as update:
        film(output, agent, layer, scoring, bank, slice(first, last + 1), rate, update)
    CONSOLE.print(f"{output}: frames {first} to {last}, {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(task, "video")
