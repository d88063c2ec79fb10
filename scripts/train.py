"""Train a PPO agent: python scripts/train.py network=compact env.num_levels=100 train.total_steps=5e6 seed=0"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.computation import choose, tune_process
from agents.distillation import DistillationConfig
from agents.naming import AGENT, differences
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.running import finished
from agents.states import going_on
from common.progress import CONSOLE
from common.stopping import FINISHED
from common.training import print_evaluation, train_stoppable
from common.values import build, threads, whole
from rollouts.env import EnvOptions
from rollouts.ranges import Count, Seed


def settings(config: Mapping[str, Any], tell: Callable[[str], None] = lambda sentence: None) -> TrainConfig:
    """The training settings that a configuration means; `tell` is called with a sentence on what this machine lacks."""
    run = dict(config["run"])
    how = {key: str(run.pop(key)).lower() for key in ("path", "device", "precision", "compiled")}
    threads(run.pop("torch_threads"), "run.torch_threads")
    run["env_threads"] = threads(run["env_threads"], "run.env_threads")
    network, steps = str(config["network"]), whole(config["train"]["total_steps"], "train.total_steps", Count)
    return build(
        TrainConfig,
        run,
        "run",
        network=network,
        seed=whole(config["seed"], "seed", Seed),
        total_steps=steps,
        options=build(EnvOptions, config["env"], "env"),
        actions=str(config["actions"]),
        ppo=build(PPOConfig, config["train"]["ppo"], "train.ppo"),
        distillation=build(DistillationConfig, config["distillation"], "distillation"),
        computation=choose(network, steps, **how, tell=tell),
    )


def folder(config: Mapping[str, Any]) -> str:
    """compact-hard-n100-s0, and every setting behind it that is not the default and shapes the agent."""
    chosen = settings(config)
    options = chosen.options
    name = f"{chosen.network}-{options.distribution_mode}-n{options.num_levels}-s{chosen.seed}"
    name += "" if chosen.actions == "all" else f"-{chosen.actions}"
    name += differences(options, skip=("distribution_mode", "num_levels")) + differences(chosen.ppo)
    distillation = chosen.distillation
    if distillation.steps:
        name += "-distilled" if distillation.steps >= chosen.total_steps else f"-distilled{distillation.steps}"
        name += differences(distillation, skip=("teacher", "steps"))
    run = config["run"]
    return name + "".join(
        f"-{run[key]}" for key, usual in (("path", "fast"), ("precision", "auto")) if run[key] != usual
    )


def task(config: DictConfig) -> str | None:
    chosen = settings(plain(config), CONSOLE.print)
    torch.set_num_threads(threads(config.run.torch_threads, "run.torch_threads"))
    if config.run.path == "fast":
        tune_process()
    with run_folder() as run:
        if finished(run, chosen):
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        if config.run.precision == "auto":
            chosen = going_on(chosen, run)
        agent = train_stoppable(chosen, run)
        CONSOLE.print(f"{run / AGENT}: {agent.steps:,} steps")
        print_evaluation(agent)
    return None


if __name__ == "__main__":
    main(task, "train", folder)
