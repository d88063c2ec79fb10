"""What an agent fails of, by replaying the last step of each failed episode without one hazard after another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.checkpoint import Agent
from agents.evaluation import wilson
from agents.play import play
from rollouts.env import EnvOptions
from rollouts.game import Game
from rollouts.progress import Update, silent
from rollouts.replays import REPLAYS


def outcomes(game: Game) -> tuple[str, ...]:
    """How an episode ends: completed, by one of the game's hazards, or otherwise.

    `several` is a failure that takes no less than two hazards away, `unknown` one that stays.
    """
    return ("completed", *game.hazards, "several", "unknown")


@dataclass(frozen=True)
class Failures:
    """How `episodes` episodes on [levels[0], levels[1]) ended: their number for each of the game's `outcomes`."""

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
        document = {
            name: {"count": count, "share": self.share(name), "interval": self.interval(name)}
            for name, count in self.counts.items()
        }
        return {"levels": self.levels, "episodes": self.episodes, "outcomes": document}

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

    An episode is completed when it returned the game's `completed_return`, which nothing else yields. Raises
    `InputError` for fewer than one episode.
    """
    game = options.rules
    replay, counts = REPLAYS[game.name](), dict.fromkeys(outcomes(game), 0)
    for episode in play(agent, options, episodes, seed, threads, keep_last=True):
        if episode.total >= game.completed_return:
            counts["completed"] += 1
        else:
            assert episode.last is not None
            state, action = episode.last
            counts[replay.cause(replay.parse(state), action)] += 1
        progress(1)
    return Failures(options.levels, sum(counts.values()), counts)
