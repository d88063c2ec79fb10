"""What an agent fails of, by replaying the last step of each failed episode without one hazard after another."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from agents.checkpoint import Agent
from agents.evaluation import wilson
from agents.play import play
from rollouts.coinrun.state import ENEMY, LAVA, LAVA_TOP, SAW, SPACE, parse, serialize
from rollouts.env import EnvOptions, make_env, observe
from rollouts.errors import InputError
from rollouts.procgen_state import State
from rollouts.progress import Update, silent

HAZARDS = ("saw", "enemy", "lava", "time")
OUTCOMES = ("completed", *HAZARDS, "several", "unknown")
"""How an episode ends; `several` is a failure that takes no less than two hazards away, `unknown` one that stays."""

_ENTITIES = {"saw": SAW, "enemy": ENEMY}


def without_hazard(state: State, hazard: str) -> State:
    """The state in which one of `HAZARDS` is not there: entities gone, lava made space, or the clock set back to 0.

    Unlike `rollouts.coinrun.masks.without_classes`, which only hides, this changes the game's course.
    """
    changed = state.copy()
    if hazard in _ENTITIES:
        changed.entities = state.entities[state.entities["type"] != _ENTITIES[hazard]]
    elif hazard == "lava":
        changed.grid[np.isin(state.grid, (LAVA, LAVA_TOP))] = SPACE
    elif hazard == "time":
        changed.episode["cur_time"] = 0
    else:
        raise InputError(f"There is no hazard '{hazard}'; there are {', '.join(HAZARDS)}.")
    return changed


class Replay:
    """Takes an episode's last step again, in environments of its own.

    A state holds all of the game's randomness, so the same action repeats the step exactly.
    """

    def __init__(self) -> None:
        self._env = make_env(2 + len(HAZARDS), EnvOptions(num_levels=1), seed=0, threads=0)

    def cause(self, state: State, action: int) -> str:
        """The hazard without which the episode goes on after this action, `several` or `unknown` if none alone is.

        Raises `StateError` for a state that CoinRun could not use, and `InputError` if the episode goes on anyway.
        """
        scenes = [state, *(without_hazard(state, hazard) for hazard in HAZARDS), reduce(without_hazard, HAZARDS, state)]
        self._env.callmethod("set_state", [serialize(scene) for scene in scenes])
        self._env.act(np.full(len(scenes), action, dtype=np.int32))
        ended, *ended_without = observe(self._env, copy=False)[2]
        if not ended:
            raise InputError(f"The episode does not end with action {action} in this state.")
        causes = (*HAZARDS, "several")
        return next((cause for cause, end in zip(causes, ended_without, strict=True) if not end), "unknown")


@dataclass(frozen=True)
class Failures:
    """How `episodes` episodes on [levels[0], levels[1]) ended: their number for each of `OUTCOMES`."""

    levels: tuple[int, int]
    episodes: int
    counts: dict[str, int]

    def share(self, outcome: str) -> float:
        """The share of all episodes."""
        return self.counts[outcome] / self.episodes

    def interval(self, outcome: str) -> tuple[float, float]:
        """Wilson's 95 % interval of the share."""
        return wilson(self.counts[outcome], self.episodes)

    def to_json(self) -> dict[str, object]:
        outcomes = {
            name: {"count": count, "share": self.share(name), "interval": self.interval(name)}
            for name, count in self.counts.items()
        }
        return {"levels": self.levels, "episodes": self.episodes, "outcomes": outcomes}

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Failures":
        """What `to_json` gave, after a way through a file."""
        first, end = values["levels"]
        counts = {name: int(outcome["count"]) for name, outcome in values["outcomes"].items()}
        return Failures((first, end), values["episodes"], counts)


def evaluate_causes(
    agent: Agent,
    options: EnvOptions,
    episodes: int,
    seed: int,
    threads: int = 1,
    progress: Update = silent,
) -> Failures:
    """How at least `episodes` episodes of `agents.play.play` end; `progress` is told of each.

    An episode is completed when it returned a reward: the coin is the only one. Raises `InputError` for fewer than one
    episode.
    """
    replay, counts = Replay(), dict.fromkeys(OUTCOMES, 0)
    for episode in play(agent, options, episodes, seed, threads, keep_last=True):
        assert episode.last is not None
        state, action = episode.last
        counts["completed" if episode.total > 0 else replay.cause(parse(state), action)] += 1
        progress(1)
    return Failures(options.levels, sum(counts.values()), counts)
