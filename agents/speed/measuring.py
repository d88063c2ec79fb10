"""How fast a network trains: variants of the same computation, each in a process of its own, measured in turn."""

import multiprocessing
import resource
import statistics
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from agents.computation import tune_process
from agents.distillation import DistillationConfig
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.speed.machine import environment_rate, matrix_flops, network_flops
from agents.speed.variants import LONG_RUN, Variant
from agents.trainer import Trainer
from rollouts.errors import InputError
from rollouts.progress import Update, silent


@dataclass(frozen=True)
class Measurement:
    """Seconds of one short rollout and of one epoch over it, FLOP/s of a matrix product, and peak memory so far."""

    rollout_seconds: float
    update_seconds: float
    matrix_flops: float
    peak_bytes: int


@dataclass(frozen=True)
class Rates:
    """Medians of one variant's rounds; `rounds` are their rates and `flops` is what the network's part amounts to."""

    steps_per_second: float
    rounds: list[float]
    flops: float
    matrix_flops: float
    peak_bytes: int


@dataclass(frozen=True)
class TrainingRates:
    """Steps per second with each variant, beside those of the environments alone."""

    variants: Mapping[str, Variant]
    rates: Mapping[str, Rates]
    environments: float

    def to_json(self) -> dict[str, Any]:
        """What was measured beside what it was measured of."""
        rows = {name: asdict(self.rates[name]) | asdict(variant) for name, variant in self.variants.items()}
        return {"variants": rows, "environment_steps_per_second": self.environments}


def shortened(ppo: PPOConfig) -> PPOConfig:
    """One minibatch of the real size as the whole rollout, and one epoch.

    Raises `InputError` where a minibatch is no whole number of steps of all environments.
    """
    size = ppo.batch_size // ppo.minibatches
    if size % ppo.num_envs:
        raise InputError(f"A minibatch of {size} is no whole number of steps of {ppo.num_envs} environments.")
    return replace(ppo, rollout_steps=size // ppo.num_envs, minibatches=1, epochs=1)


def measure(
    network: str,
    ppo: PPOConfig,
    variants: Mapping[str, Variant],
    rounds: int,
    threads: int,
    seed: int,
    progress: Update = silent,
) -> TrainingRates:
    """Environment steps per second that PPO makes with each variant, and that the environments make alone.

    A step's time is its share of a short rollout plus that of one epoch times `ppo.epochs`. Each variant is warmed up
    with a step of its own (which compiles it), then all are measured in turn, `rounds` times. `progress` is told of
    each, (1 + rounds) times the variants.
    """
    context = multiprocessing.get_context("spawn")
    config = TrainConfig(network, ppo=shortened(ppo), seed=seed, total_steps=LONG_RUN, env_threads=threads)
    measurements: dict[str, list[Measurement]] = {name: [] for name in variants}
    environments: list[float] = []
    pools: dict[str, ProcessPoolExecutor] = {}
    try:
        for name, variant in variants.items():
            own = replace(config, computation=variant.computation)
            pools[name] = ProcessPoolExecutor(1, context, _begin, (own, threads, variant.memory_kept))
            pools[name].submit(int).result()  # an empty task: answered when the warm-up is over
            progress(1, name)
        for _ in range(rounds):
            for name, pool in pools.items():
                measurements[name].append(pool.submit(_measure).result())
                progress(1, name)
            halves = next(iter(variants.values())).computation.halves
            environments.append(environment_rate(ppo.num_envs, halves, threads, seed))
    finally:
        for pool in pools.values():
            pool.shutdown()
    flops = network_flops(network, ppo.epochs)
    rates = {name: medians(measured, ppo, flops) for name, measured in measurements.items()}
    return TrainingRates(variants, rates, statistics.median(environments))


def training_rate(config: TrainConfig, progress: Update = silent) -> float:
    """Environment steps per second of PPO with these settings here and now: the second of two updates.

    No teacher is imitated. `progress` is told of both.
    """
    trainer = Trainer(replace(config, distillation=DistillationConfig()))
    trainer.step()
    progress(1)
    rate = trainer.step().scalars["steps_per_second"]
    progress(1)
    return rate


_trainer: Trainer
"""The trainer that a worker process keeps between rounds."""


def _begin(config: TrainConfig, threads: int, memory_kept: bool) -> None:
    global _trainer
    torch.set_num_threads(threads)
    if memory_kept:
        tune_process()
    _trainer = Trainer(config)
    _trainer.step()


def _measure() -> Measurement:
    scalars = _trainer.step().scalars
    computation = _trainer.config.computation
    return Measurement(
        scalars["rollout_seconds"],
        scalars["update_seconds"],
        matrix_flops(computation.device, torch.bfloat16 if computation.bfloat16 else torch.float32),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    )


def medians(rounds: Sequence[Measurement], ppo: PPOConfig, flops: int) -> Rates:
    """Of the rounds of one variant of training with `ppo`, a step of which costs `flops` operations."""
    batch = shortened(ppo).batch_size
    rates = [batch / (turn.rollout_seconds + ppo.epochs * turn.update_seconds) for turn in rounds]
    rate = statistics.median(rates)
    return Rates(
        rate,
        rates,
        rate * flops,
        statistics.median(turn.matrix_flops for turn in rounds),
        max(turn.peak_bytes for turn in rounds),
    )
