"""Train a PPO agent: python scripts/train.py network=compact env.num_levels=100 train.total_steps=5e6 seed=0"""

import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from agents.checkpoint import Agent, CheckpointError, load_agent, load_tensors
from agents.computation import choose, tune_process
from agents.distillation import DistillationConfig
from agents.logging import TrainingLog
from agents.ppo import PPOConfig
from agents.training import PREVIOUS, STATE, Progress, TrainConfig, train
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.stopping import FINISHED, Stopped, stoppable
from common.values import build, cores, whole
from rollouts.env import EnvOptions
from scoring.naming import differences


def settings(config: Mapping[str, Any]) -> TrainConfig:
    """The training settings that a configuration means."""
    run = dict(config["run"])
    how = {key: str(run.pop(key)).lower() for key in ("path", "device", "precision", "compiled")}
    run.pop("torch_threads")
    run["env_threads"] = whole(run["env_threads"], "run.env_threads") or cores()
    network, steps = str(config["network"]), whole(config["train"]["total_steps"], "train.total_steps")
    return build(
        TrainConfig,
        run,
        "run",
        network=network,
        seed=whole(config["seed"], "seed"),
        total_steps=steps,
        options=build(EnvOptions, config["env"], "env"),
        actions=str(config["actions"]),
        ppo=build(PPOConfig, config["train"]["ppo"], "train.ppo"),
        distillation=build(DistillationConfig, config["distillation"], "distillation"),
        computation=choose(network, steps, **how),
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
    chosen = settings(plain(config))
    torch.set_num_threads(whole(config.run.torch_threads, "run.torch_threads") or cores())
    if config.run.path == "fast":
        tune_process()
    with run_folder() as run:
        if finished(run / "agent.safetensors", chosen.total_steps):
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        agent = carry_out(chosen, run)
        CONSOLE.print(f"{run / 'agent.safetensors'}: {agent.steps:,} steps")
        print_evaluation(agent)
    return None


def carry_out(chosen: TrainConfig, run: Path, name: str = "Training") -> Agent:
    """Train in the folder `run`, with a log and progress.

    A signal that asks to stop ends it after an update with `Stopped`; one that comes after the last update is passed on
    when the agent is written.
    """
    resumed_at = steps_so_far(run)
    with (
        stoppable() as signals,
        TrainingLog(run, resumed_at) as log,
        track(name, chosen.total_steps, resumed_at) as update,
    ):

        def report(progress: Progress) -> None:
            log(progress)
            scalars = progress.scalars
            reward = scalars.get("episode_return", float("nan"))
            update(chosen.ppo.batch_size, f"{scalars['steps_per_second']:,.0f} steps/s, return {reward:.2f}")

        agent = train(chosen, run, report, lambda: bool(signals), CONSOLE.print)
    if agent is None:
        raise Stopped(f"Stopped after an update; the same command goes on from {run / STATE}.")
    if signals:
        signal.raise_signal(signals[0])
    return agent


def print_evaluation(agent: Agent) -> None:
    """How many levels the agent completed, training and unseen."""
    for name, evaluation in agent.evaluation.items():
        low, high = evaluation.interval
        CONSOLE.print(
            f"  {name} levels: {evaluation.completed:.1%} of {evaluation.episodes} completed "
            f"(95 % interval {low:.1%} to {high:.1%}), mean return {evaluation.mean_return:.2f}"
        )


def latest(run: Path) -> dict[str, Any] | None:
    """What is written beside the tensors of the state that training will go on from, None without one."""
    for name in (STATE, PREVIOUS):
        try:
            metadata = load_tensors(run / name)[1]
        except CheckpointError:
            continue
        if {"fixed", "steps"} <= metadata.keys():
            return metadata
    return None


def steps_so_far(run: Path) -> int:
    """Steps of the state that training will go on from, 0 without one."""
    state = latest(run)
    return 0 if state is None else int(state["steps"])


def finished(path: Path, total_steps: int) -> bool:
    """Whether the run's agent exists and was trained for long enough."""
    return path.exists() and load_agent(path).steps >= total_steps


if __name__ == "__main__":
    main(task, "train", folder)
