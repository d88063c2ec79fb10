"""Playing: an agent as "observations in, actions out", and how well it does on given levels."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent
from rollouts.coinrun import EnvOptions, make_env, observe
from rollouts.errors import InputError


class Player:
    """Samples procgen actions (n,) for frames (n, 64, 64, 3) uint8 from the agent's policy, from a seed of its own."""

    def __init__(self, agent: Agent, seed: int) -> None:
        self.network = agent.network
        self.actions = np.asarray(agent.actions, dtype=np.int32)
        self.generator = torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.int32]:
        logits, _ = self.network(torch.from_numpy(frames).to(self.network.value.weight.device))
        chosen = torch.multinomial(logits.cpu().softmax(dim=-1), 1, generator=self.generator).squeeze(-1)
        picked: NDArray[np.int32] = self.actions[chosen.numpy()]
        return picked


@dataclass(frozen=True)
class Evaluation:
    """Completed levels of `episodes` played on [levels[0], levels[1]); the interval is Wilson's, 95 %."""

    levels: tuple[int, int]
    episodes: int
    completed: float
    interval: tuple[float, float]
    mean_return: float
    mean_length: float

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's 95 % interval of a proportion (Wilson 1927)."""
    share = successes / trials
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return float(centre - half), float(centre + half)


def evaluate(
    agent: Agent, options: EnvOptions, episodes: int, seed: int, threads: int = 1,
    progress: Callable[[int], None] = lambda finished: None,
) -> Evaluation:  # fmt: skip
    """Play at least `episodes` episodes with sampled actions.

    Each of up to 64 environments plays the same number of episodes to the end, so that short episodes do not
    crowd out long ones. `progress` is told how many have ended. Raises `InputError` for fewer than one episode.
    """
    if episodes < 1:
        raise InputError(f"episodes is {episodes}; an evaluation needs at least 1.")
    num = min(64, episodes)
    each = -(-episodes // num)
    env = make_env(num, options, seed, threads)
    player = Player(agent, seed)
    returns, lengths = np.zeros((num, each)), np.zeros((num, each), dtype=int)
    running, steps, ended = np.zeros(num), np.zeros(num, dtype=int), np.zeros(num, dtype=int)
    _, frames, _ = observe(env)
    while (ended < each).any():
        env.act(player(frames))
        reward, frames, first = observe(env)
        running += reward
        steps += 1
        for index in np.flatnonzero(first & (ended < each)):
            returns[index, ended[index]], lengths[index, ended[index]] = running[index], steps[index]
            ended[index] += 1
        running[first], steps[first] = 0, 0
        if first.any():
            progress(int(ended.sum()))
    completed = int((returns > 0).sum())
    total = returns.size
    return Evaluation(
        options.levels, total, completed / total, wilson(completed, total), float(returns.mean()), float(lengths.mean())
    )
