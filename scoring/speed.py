"""How fast agents are masked and scored, and everything that a benchmark can measure, by name."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent, untrained_agent
from agents.computation import tune_process
from agents.networks import ActorCritic
from agents.play import Player
from agents.speed.targets import Bench, Figures, changes, env, in_turn, seconds, train
from rollouts.bank import FrameBank
from rollouts.collecting import SPREAD, collect
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.procgen_state import State
from rollouts.progress import Track, untracked
from rollouts.renderers import RENDERERS
from scoring.evidence import gather
from scoring.explain.base import BATCH
from scoring.explain.methods import attribute
from scoring.numbers import FeatureScores
from scoring.pipeline import score_subject
from scoring.settings import ScoreConfig
from scoring.subject import Subject, explain

STEPS = 10
"""Of integrated gradients, where scoring is measured: the number of Hilton et al. 2020."""
CAPTUM_FRAMES = 64
Result = TypeVar("Result")


def masks(bench: Bench, track: Track = untracked) -> Figures:
    """Milliseconds of all masks of a frame, and of rendering it once."""
    bank = _play(_agent(bench), bench)
    renderer = RENDERERS[bank.options.rules.name]()
    states = [renderer.parse(data) for data in bank.states]
    return in_turn(
        "milliseconds",
        {
            "all masks of a frame, ms": lambda: _milliseconds(renderer.masks, states),
            "one render, ms": lambda: _milliseconds(renderer.render, states),
        },
        bench.rounds,
        track,
    )


def score(bench: Bench, track: Track = untracked) -> Figures:
    """Seconds of every stage of scoring an agent at all its layers, and attribution beside the passes it needs.

    The factorisation of the default layer is refitted as `score.py` does, those of the others are not.
    """
    tune_process()  # as `score.py` does
    agent = _agent(bench)
    network = agent.network
    stages: dict[str, float] = {}
    with track("Scoring", 2 + 3 * len(network.layers)) as update:

        def timed(name: str, work: Callable[[], Result]) -> Result:
            results: list[Result] = []
            stages[name] = seconds(lambda: results.append(work()))
            update(1, name)
            return results[0]

        bank = timed("play 512 frames and the pool", lambda: _play(agent, bench))
        evidence = timed("masks, and frames without objects", lambda: gather(bank))
        for layer in network.layers:
            subject = timed(f"attribution at {layer}", partial(explain, network, layer, bank, evidence, steps=STEPS))
            refits = ScoreConfig.refits if layer == network.default_layer else 0
            for features in ("nmf", "channels"):
                config = ScoreConfig(layer=layer, features=features, steps=STEPS, refits=refits)
                timed(f"{features} at {layer}", partial(_all_numbers, agent, subject, config))
    ratios = in_turn(
        "ratios",
        {
            "attribution, times its forward and backward passes": lambda: _attribution_ratio(network, bank.frames),
            "Captum's LayerIntegratedGradients, times our attribution": lambda: _captum_ratio(network, bank.frames),
        },
        bench.rounds,
        track,
    )
    lines: list[str] = [f"{name}: {value:.1f} s" for name, value in stages.items()]
    lines.append(f"in all: {sum(stages.values()):.0f} s")
    return Figures({"seconds": stages} | ratios.document, [*lines, *ratios.printed])


def _agent(bench: Bench) -> Agent:
    return untrained_agent(bench.network, EnvOptions(), bench.seed)


def _play(agent: Agent, bench: Bench) -> FrameBank:
    players = [("benchmark", Player(agent, bench.seed))]
    return collect(players, agent.options.unseen(), SPREAD, bench.seed, bench.threads)


def _milliseconds(work: Callable[[State], object], states: Sequence[State]) -> float:
    return 1000 * seconds(lambda: [work(state) for state in states]) / len(states)


def _all_numbers(agent: Agent, subject: Subject, config: ScoreConfig) -> FeatureScores:
    """The agent's score, and everything about each feature."""
    return score_subject(agent, subject, config).features


def _attribution_ratio(network: ActorCritic, frames: NDArray[np.uint8]) -> float:
    """Time of integrated gradients over the time of the passes through the network alone."""
    layer = network.default_layer
    until, after = network.until(layer), network.after(layer)

    def passes() -> None:
        for batch in torch.from_numpy(frames).split(BATCH):
            with torch.no_grad():
                hidden = until(network.prepare(batch))
            for _ in range(STEPS):
                points = hidden.clone().requires_grad_()
                torch.autograd.grad(after(points)[1].sum(), points)

    return seconds(lambda: attribute(network, layer, frames, steps=STEPS)) / seconds(passes)


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
            captum.attribute(network.prepare(batch), n_steps=STEPS, method="riemann_right")

    ours = seconds(lambda: attribute(network, layer, frames[:CAPTUM_FRAMES], steps=STEPS))
    return seconds(theirs) / ours


TARGETS: Mapping[str, Callable[[Bench, Track], Figures]] = {
    "train": train,
    "changes": changes,
    "env": env,
    "masks": masks,
    "score": score,
}


def target_named(name: str) -> Callable[[Bench, Track], Figures]:
    """Raises `InputError` for a target that is not there."""
    if name not in TARGETS:
        raise InputError(f"target is '{name}'; it can be {', '.join(TARGETS)}.")
    return TARGETS[name]
