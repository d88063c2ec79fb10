"""Measure how fast this machine trains, plays, masks and scores.

python scripts/benchmark.py -m target=train network=impala,clear,compact
"""

import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from omegaconf import DictConfig
from rich.table import Table

from agents.checkpoint import Agent, untrained_agent
from agents.computation import choose, tune_process
from agents.networks import NETWORKS, ActorCritic
from agents.play import Player
from agents.ppo import PPOConfig
from agents.speed import LONG_RUN, Rates, Variant, as_json, changes, environment_rate, measure, paths
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.values import build, cores, whole
from rollouts.bank import FrameBank
from rollouts.coinrun.masks import Renderer
from rollouts.coinrun.state import parse
from rollouts.collecting import SPREAD, collect
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.evidence import gather
from scoring.explain.methods import BATCH, attribute
from scoring.pipeline import FeatureScores, ScoreConfig, score_subject
from scoring.subject import Subject, explain

INTEGRATION_STEPS = 10
"""Of integrated gradients, where scoring is measured: the number of Hilton et al. 2020."""
CAPTUM_FRAMES = 64


class TooSlow(InputError):
    """A measured ratio is below `min_ratio`."""


@dataclass(frozen=True)
class Bench:
    """What is measured and how often. Raises `InputError` for what cannot be."""

    target: str
    network: str
    device: str
    threads: int
    rounds: int
    min_ratio: float
    seed: int
    ppo: PPOConfig

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InputError(f"target is '{self.target}'; it can be {', '.join(TARGETS)}.")
        if self.network not in NETWORKS:
            raise InputError(f"There is no network '{self.network}'; there are {', '.join(NETWORKS)}.")
        for name in ("threads", "rounds"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")


def settings(config: Mapping[str, Any]) -> Bench:
    """The settings that a configuration means."""
    values = {key: value for key, value in config.items() if key != "train"}
    values["threads"] = whole(values["threads"], "threads") or cores()
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
        found = TARGETS[chosen.target](chosen)
        found |= {"settings": asdict(chosen), "machine": machine(chosen.threads)}
        write_atomically(run / "benchmark.json", json.dumps(found, indent=2) + "\n")
        CONSOLE.print(f"On {found['machine']['description']}. Written: {run / 'benchmark.json'}")
        if chosen.target == "train" and found["ratio"] < chosen.min_ratio:
            raise TooSlow(f"{chosen.network}: fast is {found['ratio']:.2f} times plain, not {chosen.min_ratio}.")


def machine(threads: int) -> dict[str, str]:
    """What the figures belong to."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    described = f"{threads} of {cores()} cores of {model}"
    described += "".join(f", {name}" for name in ("avx512_bf16", "amx_bf16") if name in flags)
    if torch.cuda.is_available():
        described += f", {torch.cuda.get_device_name()}"
    return {"description": described, "python": platform.python_version(), "torch": torch.__version__}


def bench_train(chosen: Bench) -> dict[str, Any]:
    """The fast path beside the plain one and the contiguous one."""
    found, rates, environments = _measure(chosen, paths(chosen.network, chosen.device))
    fast, contiguous = rates["fast"], rates["contiguous"].steps_per_second
    found["ratio"] = fast.steps_per_second / rates["plain"].steps_per_second
    CONSOLE.print(
        f"{chosen.network}: fast is {found['ratio']:.2f} times plain, and {fast.steps_per_second / contiguous:.2f} "
        f"times contiguous; it reaches {fast.steps_per_second / environments:.1%} of the environments alone "
        f"({environments:,.0f} steps/s) and {fast.flops / fast.matrix_flops:.0%} of a matrix product's FLOP/s."
    )
    return found


def bench_changes(chosen: Bench) -> dict[str, Any]:
    """What each change from the plain path to the fast one brings."""
    return _measure(chosen, changes(chosen.network, chosen.device))[0]


def _measure(chosen: Bench, variants: Mapping[str, Variant]) -> tuple[dict[str, Any], dict[str, Rates], float]:
    with track(f"Measuring {chosen.network}", (1 + chosen.rounds) * len(variants)) as update:
        rates, environments = measure(
            chosen.network, chosen.ppo, variants, chosen.rounds, chosen.threads, chosen.seed, update
        )
    shown = Table(f"{chosen.network}, {chosen.ppo.num_envs} x {chosen.ppo.rollout_steps}")
    for heading in ("steps/s", "lowest, highest", "x plain", "GFLOP/s", "matrix product", "of environments"):
        shown.add_column(heading, justify="right")
    for name, each in rates.items():
        shown.add_row(
            name,
            f"{each.steps_per_second:,.0f}",
            f"{min(each.rounds):,.0f}, {max(each.rounds):,.0f}",
            f"{each.steps_per_second / rates['plain'].steps_per_second:.2f}",
            f"{each.flops / 1e9:,.0f}",
            f"{each.matrix_flops / 1e9:,.0f}",
            f"{each.steps_per_second / environments:.1%}",
        )
    CONSOLE.print(shown)
    found = {"variants": as_json(rates, variants), "environment_steps_per_second": environments}
    return found, rates, environments


def bench_env(chosen: Bench) -> dict[str, Any]:
    """The environments alone, with one thread and with all."""
    halves = choose(chosen.network, LONG_RUN, device=chosen.device).halves
    jobs = {
        f"{threads} threads, environment steps/s": partial(
            environment_rate, chosen.ppo.num_envs, halves, threads, chosen.seed
        )
        for threads in sorted({1, chosen.threads})
    }
    return {"steps_per_second": _alternate(chosen.rounds, jobs)}


def bench_masks(chosen: Bench) -> dict[str, Any]:
    """Milliseconds of all masks of a frame, and of rendering it once."""
    states = [parse(data) for data in _play(chosen).states]
    renderer = Renderer()

    def milliseconds(work: Callable[[Any], Any]) -> float:
        return 1000 * _seconds(lambda: [work(state) for state in states]) / len(states)

    jobs = {
        "all masks of a frame, ms": lambda: milliseconds(renderer.masks),
        "one render, ms": lambda: milliseconds(renderer.render),
    }
    return {"milliseconds": _alternate(chosen.rounds, jobs)}


def _alternate(rounds: int, jobs: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Medians of what the jobs return, done in turn; prints them."""
    values: dict[str, list[float]] = {name: [] for name in jobs}
    with track("Measuring", rounds * len(jobs)) as update:
        for done in range(rounds):
            for number, (name, job) in enumerate(jobs.items(), start=1):
                values[name].append(job())
                update(done * len(jobs) + number, name)
    medians = {name: statistics.median(found) for name, found in values.items()}
    for name, value in medians.items():
        CONSOLE.print(f"{name}: {value:,.2f}")
    return medians


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _play(chosen: Bench) -> FrameBank:
    agent = untrained_agent(chosen.network, EnvOptions(), chosen.seed)
    players = [("benchmark", Player(agent, chosen.seed))]
    return collect(players, agent.options.unseen(), SPREAD, chosen.seed, chosen.threads)


def bench_score(chosen: Bench) -> dict[str, Any]:
    """Seconds of every stage of scoring an agent at all its layers, and attribution beside the passes it needs.

    The factorisation of the default layer is refitted as `score.py` does, those of the others are not.
    """
    tune_process()  # as `score.py` does
    agent = untrained_agent(chosen.network, EnvOptions(), chosen.seed)
    layers = agent.network.layers
    seconds: dict[str, float] = {}
    with track("Scoring", 2 + 3 * len(layers)) as update:

        def timed(name: str, work: Callable[[], Any]) -> Any:
            results: list[Any] = []
            seconds[name] = _seconds(lambda: results.append(work()))
            update(len(seconds), name)
            return results[0]

        bank = timed("play 512 frames and the pool", lambda: _play(chosen))
        evidence = timed("masks, and frames without objects", lambda: gather(bank))
        for layer in layers:
            subject = timed(
                f"attribution at {layer}",
                partial(explain, agent.network, layer, bank, evidence, steps=INTEGRATION_STEPS),
            )
            for features in ("nmf", "channels"):
                refits = ScoreConfig.refits if layer == agent.network.default_layer else 0
                how = ScoreConfig(layer=layer, features=features, steps=INTEGRATION_STEPS, refits=refits)
                timed(f"{features} at {layer}", partial(_all_scores, agent, subject, how))
    for name, value in seconds.items():
        CONSOLE.print(f"{name}: {value:.1f} s")
    CONSOLE.print(f"in all: {sum(seconds.values()):.0f} s")
    jobs = {
        "attribution, times its forward and backward passes": lambda: _attribution_ratio(agent.network, bank.frames),
        "Captum's LayerIntegratedGradients, times our attribution": lambda: _captum_ratio(agent.network, bank.frames),
    }
    return {"seconds": seconds, "ratios": _alternate(chosen.rounds, jobs)}


def _all_scores(agent: Agent, subject: Subject, how: ScoreConfig) -> FeatureScores:
    """The agent's score, and everything about each feature."""
    return score_subject(agent, subject, how).features


def _attribution_ratio(network: ActorCritic, frames: NDArray[np.uint8]) -> float:
    """Time of integrated gradients over the time of the passes through the network alone."""
    layer = network.default_layer
    until, after = network.until(layer), network.after(layer)

    def passes() -> None:
        for batch in torch.from_numpy(frames).split(BATCH):
            with torch.no_grad():
                hidden = until(network.prepare(batch))
            for _ in range(INTEGRATION_STEPS):
                points = hidden.clone().requires_grad_()
                torch.autograd.grad(after(points)[1].sum(), points)

    return _seconds(lambda: attribute(network, layer, frames, steps=INTEGRATION_STEPS)) / _seconds(passes)


def _captum_ratio(network: ActorCritic, frames: NDArray[np.uint8]) -> float:
    """Time of Captum's integrated gradients of the same layer, which pass the whole network, over the time of ours."""
    try:
        from captum.attr import LayerIntegratedGradients
    except ImportError:
        raise InputError("Captum is not installed; pip install -e '.[test]' brings it.") from None
    layer = network.default_layer
    captum = LayerIntegratedGradients(lambda x: network.heads(network.trunk(x))[1], getattr(network.trunk, layer))

    def theirs() -> None:
        for batch in torch.from_numpy(frames[:CAPTUM_FRAMES]).split(BATCH):
            captum.attribute(network.prepare(batch), n_steps=INTEGRATION_STEPS, method="riemann_right")

    ours = _seconds(lambda: attribute(network, layer, frames[:CAPTUM_FRAMES], steps=INTEGRATION_STEPS))
    return _seconds(theirs) / ours


TARGETS: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "train": bench_train,
    "changes": bench_changes,
    "env": bench_env,
    "masks": bench_masks,
    "score": bench_score,
}


if __name__ == "__main__":
    main(task, "benchmark", folder)
