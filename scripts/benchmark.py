"""Measure how fast this machine trains, plays, masks and scores.

python scripts/benchmark.py -m target=train network=impala,clear,compact
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.computation import choose
from agents.ppo import PPOConfig
from agents.speed.machine import describe
from agents.speed.targets import Bench
from agents.speed.variants import LONG_RUN
from common.cores import cores
from common.progress import CONSOLE, track
from common.values import build, threads
from rollouts.documents import write_json
from rollouts.errors import InputError
from scoring.speed import target_named


class TooSlow(InputError):
    """A measured ratio is below `min_ratio`."""


def settings(config: Mapping[str, Any]) -> Bench:
    """The settings that a configuration means."""
    values = {key: value for key, value in config.items() if key != "train"}
    target_named(str(values["target"]))
    values["threads"] = threads(values["threads"], "threads")
    values["device"] = choose(str(values["network"]), LONG_RUN, device=str(values["device"])).device
    return build(Bench, values, "", ppo=build(PPOConfig, config["train"]["ppo"], "train.ppo"))


def folder(config: Mapping[str, Any]) -> str:
    """What is measured, on what."""
    chosen = settings(config)
    return f"{chosen.target}-{chosen.network}-{chosen.device}-t{chosen.threads}"


def task(config: DictConfig) -> None:
    chosen = settings(plain(config))
    with run_folder() as run:
        torch.set_num_threads(chosen.threads)
        figures = target_named(chosen.target)(chosen, track)
        machine = describe(chosen.threads, cores())
        document = figures.document | {"settings": asdict(chosen), "machine": asdict(machine)}
        write_json(run / "benchmark.json", document)
        for line in figures.printed:
            CONSOLE.print(line)
        CONSOLE.print(f"On {machine.description}. Written: {run / 'benchmark.json'}")
        if figures.ratio is not None and figures.ratio < chosen.min_ratio:
            raise TooSlow(f"{chosen.network}: fast is {figures.ratio:.2f} times plain, not {chosen.min_ratio}.")


if __name__ == "__main__":
    main(task, "benchmark", folder)
