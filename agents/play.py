"""Playing: an agent as "observations in, actions out", and how well it does on given levels."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent
from agents.computation import computes_bfloat16
from agents.evaluation import Evaluation, wilson
from rollouts.env import EnvOptions, make_env, observe
from rollouts.errors import InputError
from rollouts.progress import Update, silent

PRECISIONS = ("float32", "bfloat16")
"""Number formats in which a policy can be computed."""


class Player:
    """Samples procgen actions (n,) for frames (n, 64, 64, 3) uint8 from the agent's policy, from a seed of its own.

    The policy is computed in the number format `precision`; `auto` is bfloat16 where the processor computes in it, as
    in training. Raises `InputError` for any other.
    """

    def __init__(self, agent: Agent, seed: int, precision: str = "float32") -> None:
        self.network = agent.network
        self.device = agent.network.value.weight.device
        if precision not in ("auto", *PRECISIONS):
            raise InputError(f"precision is '{precision}'; it can be {' or '.join(PRECISIONS)}.")
        self.bfloat16 = computes_bfloat16(self.device.type) if precision == "auto" else precision == "bfloat16"
        self.actions = np.asarray(agent.actions, dtype=np.int32)
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.int32]:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bfloat16):
            logits, _ = self.network(torch.from_numpy(frames).to(self.device))
        if not logits.isfinite().all():
            raise InputError("The policy of the agent that plays is not finite: its weights are too large.")
        chosen = torch.multinomial(logits.float().cpu().softmax(dim=-1), 1, generator=self.generator).squeeze(-1)
        picked: NDArray[np.int32] = self.actions[chosen.numpy()]
        return picked


@torch.no_grad()
def check_outputs(name: str, agent: Agent) -> None:
    """Raises `InputError` for an agent whose policy or value is not finite: it cannot play, and nothing explains it.

    It is shown frames of noise, black and white.
    """
    noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8)
    plain = np.stack([np.full((64, 64, 3), shade, dtype=np.uint8) for shade in (0, 255)])
    frames = torch.from_numpy(np.concatenate([noise, plain])).to(agent.network.value.weight.device)
    for what, output in zip(("policy", "value"), agent.network(frames), strict=True):
        if not output.isfinite().all():
            raise InputError(f"The {what} of {name} is not finite, whatever it is shown: its weights are too large.")


@dataclass(frozen=True)
class Episode:
    """An episode played to its end: what it returned, and its length in steps.

    `last` is the state before the final step, as procgen's bytes, and the action of that step; None where not kept.
    """

    total: float
    length: int
    last: tuple[bytes, int] | None


def division(episodes: int) -> tuple[int, int]:
    """Environments, at most 64, and episodes that each plays, to make at least `episodes` in all.

    Raises `InputError` for fewer than one episode.
    """
    if episodes < 1:
        raise InputError(f"episodes is {episodes}; an evaluation needs at least 1.")
    environments = min(64, episodes)
    return environments, -(-episodes // environments)


def play(
    agent: Agent, options: EnvOptions, episodes: int, seed: int, threads: int = 1, keep_last: bool = False
) -> Iterator[Episode]:
    """At least `episodes` episodes with sampled actions, each as it ends.

    Each environment of `division` plays the same number of episodes to the end, so that short episodes do not crowd
    out long ones. With the same seed and options every agent plays the same levels. `keep_last` takes 0.1 ms a step and
    environment. Raises `InputError` for fewer than one episode.
    """
    num, share = division(episodes)
    env = make_env(num, options, seed, threads)
    player = Player(agent, seed, "auto")
    running, steps, ended = np.zeros(num), np.zeros(num, dtype=int), np.zeros(num, dtype=int)
    _, frames, _ = observe(env)
    while (ended < share).any():
        states: list[bytes] | None = env.callmethod("get_state") if keep_last else None
        actions = player(frames)
        env.act(actions)
        reward, frames, first = observe(env)
        running += reward
        steps += 1
        for index in np.flatnonzero(first & (ended < share)):
            ended[index] += 1
            last = None if states is None else (states[index], int(actions[index]))
            yield Episode(float(running[index]), int(steps[index]), last)
        running[first], steps[first] = 0, 0


def evaluate(
    agent: Agent,
    options: EnvOptions,
    episodes: int,
    seed: int,
    threads: int = 1,
    progress: Update = silent,
) -> Evaluation:
    """How well an agent does in `play`; `progress` is told of each episode that ends.

    Raises `InputError` for fewer than one episode.
    """
    returns, lengths = [], []
    for episode in play(agent, options, episodes, seed, threads):
        returns.append(episode.total)
        lengths.append(episode.length)
        progress(1)
    completed, total = sum(result > 0 for result in returns), len(returns)
    return Evaluation(
        options.levels,
        total,
        completed / total,
        wilson(completed, total),
        float(np.mean(returns)),
        float(np.mean(lengths)),
    )
