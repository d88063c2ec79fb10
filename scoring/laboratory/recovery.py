"""Does a method draw the frame, whatever the network (Nie et al. 2018; Sixt et al. 2020; Gupta and Arora 2019)?

On untrained networks of the agent's kind: the correlation of |map| with the edges of the frame (Sobel). On the agent:
the rank correlation of the maps of two logits (random logit), which a method that follows the network keeps apart,
over that of the two on different frames. A method passes if both are below a half, with their intervals."""

import numpy as np

from agents.checkpoint import untrained_agent
from rollouts.progress import Update, silent
from scoring.explain.pixels.controls import edges
from scoring.laboratory.base import Bench, FloatArray, Row, mean_over_frames
from scoring.laboratory.randomisation import FRAMES, HALF, OVER_CHANCE, SIMILARITIES, first_of_each, similarities

NETWORKS, FIRST_SEED = 3, 900


def recovery(bench: Bench, progress: Update) -> list[Row]:
    """Rows of every method that looks at the network."""
    scenes, _ = first_of_each(bench.scenes, FRAMES)
    agent = bench.agent
    kind, options = agent.network.kind, agent.options
    pictures = edges(agent, scenes, "value", bench.seed, silent)
    logits = _two_moves(bench)
    rows = []
    for name, method in bench.methods.items():
        progress(1)
        if method.control:
            continue
        drawn = [
            method.draw(untrained_agent(kind, options, seed, agent.actions), scenes, bench.target, bench.seed, silent)
            for seed in range(FIRST_SEED, FIRST_SEED + NETWORKS)
        ]
        found = [[_correlation(np.abs(own), edge) for own, edge in zip(maps, pictures, strict=True)] for maps in drawn]
        statistics = {"edges of the frame, untrained networks": np.array(found).mean(axis=0)}
        first, second = (method.draw(agent, scenes, f"logit:{logit}", bench.seed, silent) for logit in logits)
        statistics |= {f"two logits, {key}": similarities(first, second)[key] for key in (SIMILARITIES[1], OVER_CHANCE)}
        for statistic, values in statistics.items():
            number, frames = mean_over_frames(values, scenes.environment, bench.seed)
            asked = number.high is not None and not statistic.endswith(SIMILARITIES[1])
            passes = number.high <= HALF if asked and number.high is not None else None
            rows.append(Row("recovery", name, bench.target, statistic, number, frames, passes))
    return rows


def _two_moves(bench: Bench) -> tuple[int, int]:
    """The logits of two moves that are most unlike, left and right where there are any."""
    moves = bench.agent.options.rules.moves
    found = [i for i, action in enumerate(bench.agent.actions) for name in ("left", "right") if action in moves[name]]
    return (found[0], found[-1]) if len(found) > 1 else (0, 1)


def _correlation(one: FloatArray, other: FloatArray) -> float:
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one.reshape(-1), other.reshape(-1))[0, 1])
