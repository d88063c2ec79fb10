"""What a benchmark is told and what it answers, and the targets that need an agent alone: training and environments."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rich.table import Table

from agents.computation import choose
from agents.networks import NETWORKS
from agents.ppo import PPOConfig
from agents.speed import variants
from agents.speed.machine import environment_rate
from agents.speed.measuring import TrainingRates, measure
from agents.speed.variants import LONG_RUN, Variant
from rollouts.errors import InputError
from rollouts.progress import Track, untracked
from rollouts.ranges import Coefficient, Count, Seed, Threads, check_ranges


@dataclass(frozen=True)
class Bench:
    """What is measured and how often. Raises `InputError` for what cannot be."""

    target: str
    network: str
    device: str
    threads: Threads
    rounds: Count
    min_ratio: Coefficient
    seed: Seed
    ppo: PPOConfig

    def __post_init__(self) -> None:
        if self.network not in NETWORKS:
            raise InputError(f"There is no network '{self.network}'; there are {', '.join(NETWORKS)}.")
        check_ranges(self)


@dataclass(frozen=True)
class Figures:
    """What was measured: `document` for JSON, and `printed` for people. `ratio` is how many times plain fast is."""

    document: dict[str, Any]
    printed: list[str | Table] = field(default_factory=list)
    ratio: float | None = None


def train(bench: Bench, track: Track = untracked) -> Figures:
    """The fast path beside the plain one and the contiguous one."""
    measured = _measure(bench, variants.paths(bench.network, bench.device), track)
    fast, plain, contiguous = (measured.rates[path] for path in ("fast", "plain", "contiguous"))
    ratio = fast.steps_per_second / plain.steps_per_second
    sentence = (
        f"{bench.network}: fast is {ratio:.2f} times plain, and "
        f"{fast.steps_per_second / contiguous.steps_per_second:.2f} times contiguous; it reaches "
        f"{fast.steps_per_second / measured.environments:.1%} of the environments alone "
        f"({measured.environments:,.0f} steps/s) and {fast.flops / fast.matrix_flops:.0%} of a matrix product's FLOP/s."
    )
    return Figures(measured.to_json() | {"ratio": ratio}, [_table(bench, measured), sentence], ratio)


def changes(bench: Bench, track: Track = untracked) -> Figures:
    """What each change from the plain path to the fast one brings."""
    measured = _measure(bench, variants.changes(bench.network, bench.device), track)
    return Figures(measured.to_json(), [_table(bench, measured)])


def env(bench: Bench, track: Track = untracked) -> Figures:
    """The environments alone, with one thread and with all."""
    halves = choose(bench.network, LONG_RUN, device=bench.device).halves
    jobs = {
        f"{threads} threads, environment steps/s": partial(
            environment_rate, bench.ppo.num_envs, halves, threads, bench.seed
        )
        for threads in sorted({1, bench.threads})
    }
    return in_turn("steps_per_second", jobs, bench.rounds, track)


def in_turn(key: str, jobs: Mapping[str, Callable[[], float]], rounds: int, track: Track = untracked) -> Figures:
    """Medians of what the jobs return, done in turn."""
    values: dict[str, list[float]] = {name: [] for name in jobs}
    with track("Measuring", rounds * len(jobs)) as update:
        for _ in range(rounds):
            for name, job in jobs.items():
                values[name].append(job())
                update(1, name)
    medians = {name: statistics.median(own) for name, own in values.items()}
    return Figures({key: medians}, [f"{name}: {value:,.2f}" for name, value in medians.items()])


def seconds(work: Callable[[], object]) -> float:
    """How long work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _measure(bench: Bench, ways: Mapping[str, Variant], track: Track) -> TrainingRates:
    with track(f"Measuring {bench.network}", (1 + bench.rounds) * len(ways)) as update:
        return measure(bench.network, bench.ppo, ways, bench.rounds, bench.threads, bench.seed, update)


def _table(bench: Bench, measured: TrainingRates) -> Table:
    """A row a variant."""
    table = Table(f"{bench.network}, {bench.ppo.num_envs} x {bench.ppo.rollout_steps}")
    for heading in ("steps/s", "lowest, highest", "x plain", "GFLOP/s", "matrix product", "of environments"):
        table.add_column(heading, justify="right")
    for name, own in measured.rates.items():
        table.add_row(
            name,
            f"{own.steps_per_second:,.0f}",
            f"{min(own.rounds):,.0f}, {max(own.rounds):,.0f}",
            f"{own.steps_per_second / measured.rates['plain'].steps_per_second:.2f}",
            f"{own.flops / 1e9:,.0f}",
            f"{own.matrix_flops / 1e9:,.0f}",
            f"{own.steps_per_second / measured.environments:.1%}",
        )
    return table
