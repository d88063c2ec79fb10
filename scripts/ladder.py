"""The ladder: agents trained on 100 to 100,000 levels, each rung resumable, on whatever machine this runs.

python scripts/ladder.py tier=compact
python scripts/ladder.py tier=compact check=true
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from agents.climbing import climb
from agents.computation import tune_process
from agents.ladder import Ladder, check_complete, missing, steps_left
from agents.ppo import PPOConfig
from common.command import main, plain
from common.progress import CONSOLE, track
from common.training import print_evaluation, train_stoppable
from common.values import build, cores, picked, whole
from rollouts.locks import InUse, locked
from scoring.study.catalogue import status, write_catalogue


def settings(config: Mapping[str, Any]) -> Ladder:
    """The tier's ladder."""
    return picked(
        Ladder,
        config,
        levels=tuple(whole(levels, "levels") for levels in config["levels"]),
        seeds=tuple(whole(seed, "seeds") for seed in config["seeds"]),
        total_steps=whole(config["train"]["total_steps"], "train.total_steps"),
        states=Path(config["states"]),
        zoo=Path(config["zoo"]),
        ppo=build(PPOConfig, config["train"]["ppo"], "train.ppo"),
        env_threads=whole(config["env_threads"], "env_threads") or cores(),
    )


def task(config: DictConfig) -> None:
    values = plain(config)
    rungs = settings(values).rungs()
    episodes = whole(values["episodes"], "episodes")
    torch.set_num_threads(whole(values["torch_threads"], "torch_threads") or cores())
    tune_process()
    ahead = missing(rungs)
    CONSOLE.print(status(rungs))
    if values["check"]:
        check_complete(rungs)
        return
    busy = []
    began, trained = time.monotonic(), 0
    for number, rung in enumerate(ahead, start=1):
        try:
            with locked(rung.run):
                if rung.done:  # by another process meanwhile
                    continue
                steps = steps_left([rung])
                agent = climb(rung, episodes, train_stoppable, track)
                CONSOLE.print(f"{rung.shipped}: {agent.steps:,} steps")
                print_evaluation(agent)
                trained += steps
                write_catalogue(rung.shipped.parent)
        except InUse:
            busy.append(rung.name)
        left = steps_left(ahead[number:])
        if trained and left:
            hours = left * (time.monotonic() - began) / trained / 3600
            CONSOLE.print(f"{len(ahead) - number} rungs to go, {left:,} steps: about {hours:.1f} hours")
    CONSOLE.print(status(rungs))
    if busy:
        CONSOLE.print(f"Trained by other processes: {', '.join(busy)}.")


if __name__ == "__main__":
    main(task, "ladder")
