"""The machine by itself, what it could do at best, and what the network asks of it."""

import platform
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from agents.computation import frame_flops
from agents.networks import ActorCritic
from rollouts.env import EnvOptions, make_env, observe

MATRIX = 2048
ENVIRONMENT_SECONDS = 2.0


@dataclass(frozen=True)
class Machine:
    """What figures belong to."""

    description: str
    python: str
    torch: str


def describe(threads: int, cores: int) -> Machine:
    """This machine, of whose `cores` so many `threads` were used."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    description = f"{threads} of {cores} cores of {model}"
    description += "".join(f", {name}" for name in ("avx512_bf16", "amx_bf16") if name in flags)
    if torch.cuda.is_available():
        description += f", {torch.cuda.get_device_name()}"
    return Machine(description, platform.python_version(), torch.__version__)


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
