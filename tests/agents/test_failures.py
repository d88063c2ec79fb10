"""Causes of failure, on play."""

import json
from functools import reduce
from itertools import islice

import numpy as np
import pytest
import torch

from agents.checkpoint import Agent, untrained_agent
from agents.failures import Failures, evaluate_causes, outcomes
from agents.play import evaluate, play
from rollouts.coinrun.hazards import CoinRunReplay, without_hazard
from rollouts.coinrun.state import ENEMY, LAVA, LAVA_TOP, SAW, parse, serialize
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions, make_env
from rollouts.errors import InputError
from rollouts.procgen_state import State

OPTIONS = EnvOptions().unseen()
NOOP, RIGHT, JUMP_RIGHT = 4, 7, 8


def blind_agent(*actions: int) -> Agent:
    """Takes these actions with equal chances, whatever it sees."""
    agent = untrained_agent("compact", EnvOptions(), seed=0, actions=actions)
    torch.nn.init.zeros_(agent.network.policy.weight)
    return agent


@pytest.fixture(scope="module")
def replay() -> CoinRunReplay:
    return CoinRunReplay()


def test_causes_of_play_lie_where_the_agent_goes(replay: CoinRunReplay) -> None:
    """Geometry says the same: after its last step the agent is at the thing that its failure is put down to."""
    counts = dict.fromkeys(outcomes(COINRUN), 0)
    alone = make_env(1, EnvOptions(num_levels=1), seed=5, threads=0)
    episodes = play(blind_agent(RIGHT, JUMP_RIGHT), OPTIONS, episodes=640, seed=0, keep_last=True)
    for episode in islice((e for e in episodes if e.total == 0), 120):
        assert episode.last is not None
        state, action = parse(episode.last[0]), episode.last[1]
        cause = replay.cause(state, action)
        counts[cause] += 1
        alone.callmethod("set_state", [serialize(reduce(without_hazard, COINRUN.hazards, state))])
        alone.act(np.array([action], dtype=np.int32))
        agent = parse(alone.callmethod("get_state")[0]).agent
        for name, places in hazard_places(state).items():
            away = np.abs(places - [agent["x"], agent["y"]]).max(axis=1)
            nearest = away.min(initial=np.inf)
            assert nearest < 1.25 or cause != name
            assert nearest > 0.75 or cause in (name, "several")
    assert counts["completed"] == counts["time"] == counts["unknown"] == 0
    assert min(counts["saw"], counts["enemy"], counts["lava"]) >= 3


def hazard_places(state: State) -> dict[str, np.ndarray]:
    """Centres (n, 2) of what kills, after a step."""
    entities = state.entities
    lava = np.argwhere((state.grid == LAVA) | (state.grid == LAVA_TOP))[:, ::-1] + 0.5
    moved = np.stack([entities["x"] + entities["vx"], entities["y"] + entities["vy"]], axis=1)
    return {"saw": moved[entities["type"] == SAW], "enemy": moved[entities["type"] == ENEMY], "lava": lava}


def test_an_agent_that_stands_still_runs_out_of_time() -> None:
    failures = evaluate_causes(blind_agent(NOOP), OPTIONS, episodes=1, seed=0)
    assert failures.counts == {name: int(name == "time") for name in outcomes(COINRUN)}


def test_shares_intervals_and_the_way_through_json(replay: CoinRunReplay) -> None:
    agent = blind_agent(RIGHT, JUMP_RIGHT)
    finished: list[int] = []
    failures = evaluate_causes(
        agent, OPTIONS, episodes=12, seed=3, progress=lambda more, note="": finished.append(more)
    )
    assert finished == [1] * 12
    assert failures.episodes == 12
    counts = dict.fromkeys(outcomes(COINRUN), 0)
    for episode in play(agent, OPTIONS, episodes=12, seed=3, keep_last=True):
        assert episode.last is not None
        counts["completed" if episode.total else replay.cause(parse(episode.last[0]), episode.last[1])] += 1
    assert failures.counts == counts
    plain = evaluate(agent, OPTIONS, episodes=12, seed=3)
    assert (failures.share("completed"), failures.interval("completed")) == (plain.completed, plain.interval)
    assert Failures.from_json(json.loads(json.dumps(failures.to_json()))) == failures
    with pytest.raises(InputError, match="at least 1"):
        evaluate_causes(agent, OPTIONS, episodes=0, seed=0)


def test_every_agent_plays_the_same_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever an agent does, and however long its episodes are: 4 environments with 3 levels each."""
    monkeypatch.setattr("agents.play.division", lambda episodes: (4, 3))

    def levels(agent: Agent) -> list[int]:
        episodes = play(agent, OPTIONS, episodes=12, seed=4, keep_last=True)
        return sorted(int(parse(e.last[0]).episode["current_level_seed"]) for e in episodes if e.last is not None)

    one, other = levels(blind_agent(RIGHT, JUMP_RIGHT)), levels(blind_agent(RIGHT, JUMP_RIGHT, 1))
    assert len(set(one)) == 12
    assert one == other
