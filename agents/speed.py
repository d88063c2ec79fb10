"""How fast a network trains: variants of the same computation, each in a process of its own, measured in turn."""

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from agents.computation import PATHS, Computation, choose, frame_flops, tune_process
from agents.networks import ActorCritic
from agents.ppo import PPOConfig
from agents.training import TrainConfig, Trainer
from rollouts.env import EnvOptions, make_env, observe
from rollouts.errors import InputError

LONG_RUN = 10**9
"""Steps of the run that a computation is chosen for: compiling pays."""
MATRIX = 2048
ENVIRONMENT_SECONDS = 2.0


@dataclass(frozen=True)
class Variant:
    """One way of carrying out the training: the computation, and whether freed memory is kept."""

    computation: Computation
    memory_kept: bool


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


def paths(network: str, device: str) -> dict[str, Variant]:
    """The plain path (CleanRL's data path), the fast one, and the plain one in contiguous memory."""
    return {
        path: Variant(choose(network, LONG_RUN, path, device), memory_kept=path == "fast")
        for path in ("plain", "fast", *(p for p in PATHS if p not in ("plain", "fast")))
    }


def changes(network: str, device: str) -> dict[str, Variant]:
    """From plain to fast, one change after another, compiling among them whether or not the fast path does."""
    computation = choose(network, LONG_RUN, "plain", device)
    slice_size = choose(network, LONG_RUN, "fast", device).slice_size
    found = {"plain": Variant(computation, False)}
    steps: tuple[tuple[str, dict[str, Any]], ...] = (
        ("channels last", {"layout": "channels_last"}),
        ("bfloat16", {"bfloat16": True}),
        (f"slices of {slice_size}", {"slice_size": slice_size}),
    )
    for name, change in steps:
        computation = replace(computation, **change)
        found[f"+ {name}"] = Variant(computation, False)
    found["+ memory kept"] = Variant(computation, True)
    found["+ compiled"] = Variant(replace(computation, compiled=True), True)
    return found


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
    update: Callable[[int, str], None] = lambda done, name: None,
) -> tuple[dict[str, Rates], float]:
    """Environment steps per second that PPO makes with each variant, and that the environments make alone.

    A step's time is its share of a short rollout plus that of one epoch times `ppo.epochs`. Each variant is warmed up
    with a step of its own (which compiles it), then all are measured in turn, `rounds` times. `update` is told what is
    done, of (1 + rounds) times the variants.
    """
    context = multiprocessing.get_context("spawn")
    short = shortened(ppo)
    found: dict[str, list[Measurement]] = {name: [] for name in variants}
    environments: list[float] = []
    pools: dict[str, ProcessPoolExecutor] = {}
    try:
        for done, (name, variant) in enumerate(variants.items(), start=1):
            config = TrainConfig(
                network,
                ppo=short,
                seed=seed,
                total_steps=LONG_RUN,
                computation=variant.computation,
                env_threads=threads,
            )
            pools[name] = ProcessPoolExecutor(1, context, _begin, (config, threads, variant.memory_kept))
            pools[name].submit(int).result()  # an empty task: answered when the warm-up is over
            update(done, name)
        for turn in range(1, rounds + 1):
            for done, (name, pool) in enumerate(pools.items(), start=1):
                found[name].append(pool.submit(_measure).result())
                update(turn * len(pools) + done, name)
            halves = next(iter(variants.values())).computation.halves
            environments.append(environment_rate(ppo.num_envs, halves, threads, seed))
    finally:
        for pool in pools.values():
            pool.shutdown()
    flops = network_flops(network, ppo.epochs)
    return {name: _medians(found[name], ppo, flops) for name in variants}, statistics.median(environments)


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


def _medians(rounds: Sequence[Measurement], ppo: PPOConfig, flops: int) -> Rates:
    batch = shortened(ppo).batch_size
    rates = [batch / (each.rollout_seconds + ppo.epochs * each.update_seconds) for each in rounds]
    rate = statistics.median(rates)
    return Rates(
        rate,
        rates,
        rate * flops,
        statistics.median(each.matrix_flops for each in rounds),
        max(each.peak_bytes for each in rounds),
    )


def matrix_flops(device: str, dtype: torch.dtype, seconds: float = 0.5) -> float:
    """FLOP/s of a product of two square matrices of `MATRIX` rows."""
    a = torch.randn(MATRIX, MATRIX, device=device).to(dtype)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    _ = a @ a
    wait()
    start, products = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        _ = a @ a
        wait()
        products += 1
    return 2 * MATRIX**3 * products / (time.perf_counter() - start)


def network_flops(network: str, epochs: int) -> int:
    """Floating-point operations that a step costs: one forward pass to act, `epochs` forward and backward to learn."""
    acting, learning = frame_flops(ActorCritic(network, 15))
    return acting + epochs * learning


def environment_rate(num_envs: int, halves: int, threads: int, seed: int) -> float:
    """Steps per second of the environments alone with random actions, in the groups that training plays them in."""
    size = num_envs // halves
    envs = [make_env(size, EnvOptions(), seed + half, threads) for half in range(halves)]
    actions = np.random.default_rng(seed).integers(0, 15, (64, size)).astype(np.int32)
    start, turns = time.perf_counter(), 0
    while time.perf_counter() - start < ENVIRONMENT_SECONDS:
        for env in envs:
            observe(env, copy=False)
            env.act(actions[turns % len(actions)])
        turns += 1
    for env in envs:
        observe(env, copy=False)
    return turns * size * halves / (time.perf_counter() - start)


def as_json(rates: Mapping[str, Rates], variants: Mapping[str, Variant]) -> dict[str, Any]:
    """What was measured beside what it was measured of."""
    return {name: asdict(rates[name]) | asdict(variants[name]) for name in variants}
