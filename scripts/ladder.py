"""The ladder: agents trained on 100 to 100,000 levels, each rung resumable, on whatever machine this runs.

python scripts/ladder.py tier=compact2
python scripts/ladder.py tier=compact2 check=true
"""

import time
from collections.abc import Mapping
from typing import Any

import torch
from omegaconf import DictConfig

from common.command import main, plain
from agents.climbing import climb
from agents.computation import choose, tune_process
from agents.ladder import Ladder, check_complete, check_ready, hours, missing, steps_left
from agents.ppo import PPOConfig
from agents.speed.measuring import training_rate
from common.progress import CONSOLE, track
from common.training import print_evaluation, train_stoppable
from common.values import build, picked, threads, whole
from rollouts.locks import InUse, locked
from rollouts.ranges import Count, Episodes
from scoring.study.catalogue import status, write_catalogue


def settings(config: Mapping[str, Any]) -> Ladder:
    """The tier's ladder."""
    whole(config["train"]["total_steps"], "train.total_steps", Count)
    ppo = build(PPOConfig, config["train"]["ppo"], "train.ppo")
    return picked(Ladder, config, ppo=ppo, env_threads=threads(config["env_threads"], "env_threads"))


def task(config: DictConfig) -> None:
    values = plain(config)
    ladder = settings(values)
    rungs = ladder.rungs()
    episodes = whole(values["episodes"], "episodes", Episodes)
    torch.set_num_threads(threads(values["torch_threads"], "torch_threads"))
    tune_process()
    choose(ladder.network, ladder.stages[-1], tell=CONSOLE.print)  # what every rung's choice would say
    ahead = missing(rungs)
    CONSOLE.print(status(rungs))
    if values["check"]:
        if ahead:
            with track("Measuring the speed of training", 2) as update:
                rate = training_rate(ahead[0].config, update)
            CONSOLE.print(f"{hours(steps_left(ahead), rate)} at {rate:,.0f} steps/s of PPO, measured now.")
        check_complete(rungs)
        return
    check_ready(ahead)
    busy = []
    began, trained = time.monotonic(), 0
    for number, rung in enumerate(ahead, start=1):
        try:
            with locked(rung.run, warn=CONSOLE.print):
                if rung.done:  # by another process meanwhile
                    continue
                steps = steps_left([rung])
                agent = climb(rung, episodes, train_stoppable, track)
                CONSOLE.print(f"{rung.shipped}: {agent.steps:,} steps")
                print_evaluation(agent)
                trained += steps
                write_catalogue(ladder.zoo)
        except InUse:
            busy.append(rung.name)
        if trained and (left := steps_left(ahead[number:])):
            CONSOLE.print(f"{len(ahead) - number} rungs to go: {hours(left, trained / (time.monotonic() - began))}")
    CONSOLE.print(status(rungs))
    if busy:
        CONSOLE.print(f"Trained by other processes: {', '.join(busy)}.")


if __name__ == "__main__":
    main(task, "ladder")
