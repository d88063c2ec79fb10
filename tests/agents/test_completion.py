"""The table of completed levels: what is in it, and that nothing is measured twice."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent, fingerprint, untrained_agent
from agents.completion import complete, read, training_flops
from agents.networks import ActorCritic
from agents.play import evaluate, play
from agents.speed.machine import network_flops
from rollouts.coinrun.state import parse
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.layouts import NewLayouts, level_hashes
from rollouts.progress import Update, untracked

OPTIONS = EnvOptions(num_levels=3)


def agent(seed: int, right: float = 0.0) -> Agent:
    """An untrained agent that runs to the right the more, the larger `right` is."""
    made = untrained_agent("compact", OPTIONS, seed)
    with torch.no_grad():
        made.network.policy.bias[7] = right
    return made


def test_rows_are_the_evaluations_on_both_kinds_of_levels(tmp_path: Path) -> None:
    runner = agent(0, right=3.0)
    rows = complete(tmp_path / "table.json", {"runner": runner}, episodes=8, seed=4)
    for row, options in zip(rows, (OPTIONS, OPTIONS.unseen()), strict=True):
        evaluation = evaluate(runner, options, 8, 4)
        assert (row.completed, (row.low, row.high)) == (evaluation.completed, evaluation.interval)
        assert (row.mean_length, row.episodes) == (evaluation.mean_length, evaluation.episodes)
    assert [row.levels for row in rows] == ["training", "unseen"]
    assert {(row.agent, row.sha256, row.num_levels) for row in rows} == {("runner", fingerprint(runner), 3)}
    assert read(tmp_path / "table.json") == rows


def test_what_the_table_has_is_not_measured_again(tmp_path: Path) -> None:
    path, begun = tmp_path / "table.json", []

    def track(name: str, total: int) -> AbstractContextManager[Update]:
        begun.append((name, total))
        return untracked(name, total)

    first = complete(path, {"a": agent(0)}, 2, 0, track=track)
    path.write_text(json.dumps(json.loads(path.read_text())[:1]))  # as a run that was stopped half way leaves it
    second = complete(path, {"a": agent(0), "b": agent(1)}, 2, 0, track=track)
    assert begun == [
        ("a, training levels", 2),
        ("a, unseen levels", 2),
        ("a, unseen levels", 2),
        ("b, training levels", 2),
        ("b, unseen levels", 2),
    ]
    assert second[:2] == first
    assert len(read(path)) == 4
    assert complete(path, {"a": agent(0)}, 3, 0)[0].episodes == 3
    assert len(read(path)) == 6


def test_levels_that_are_not_chosen_are_no_episodes() -> None:
    """Of two levels the second alone is played, whichever an environment draws."""
    asked: list[int] = []

    def second(levels: Sequence[int]) -> NDArray[np.bool_]:
        asked.extend(levels)
        return np.array([level == 1 for level in levels], dtype=bool)

    options = EnvOptions(num_levels=2)
    episodes = list(play(agent(0, right=3.0), options, 6, 0, keep_last=True, chosen=second))
    assert len(episodes) == 6
    assert set(asked) == {0, 1}
    for episode in episodes:
        assert episode.last is not None
        state = parse(episode.last[0])
        assert state.episode["current_level_seed"] == 1
        assert episode.length == state.episode["cur_time"] + 1


def test_new_layouts_leave_out_what_may_have_been_trained_on(tmp_path: Path) -> None:
    options = EnvOptions("easy", num_levels=100)
    runner = replace(agent(0, right=3.0), options=options)
    path = tmp_path / "table.json"
    training, unseen = complete(path, {"runner": runner}, episodes=32, seed=2, layouts="new")
    assert (training.layouts, training.left_out) == ("all", 0)
    assert (unseen.layouts, unseen.episodes) == ("new", 32)
    assert 0 < unseen.left_out < 0.4, "11.5 % of unseen levels"
    _, everything = complete(path, {"runner": runner}, episodes=32, seed=2)
    assert everything == replace(everything, layouts="all", left_out=0)
    assert len(read(path)) == 3, "training levels are measured once"
    known = {layout for layout, _ in level_hashes(options, range(100))}
    new = NewLayouts(options, "runner")
    levels: list[int] = []

    def played(begun: Sequence[int]) -> NDArray[np.bool_]:
        chosen = new(begun)
        levels.extend(level for level, one in zip(begun, chosen, strict=True) if one)
        return chosen

    evaluation = evaluate(runner, options.unseen(), 32, 2, chosen=played)
    assert evaluation.completed == unseen.completed
    assert not known & {layout for layout, _ in level_hashes(options, levels)}


def test_tables_of_before_say_nothing_of_layouts(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    rows = complete(path, {"a": agent(0)}, 2, 0)
    old = json.loads(path.read_text())
    for row in old:
        del row["layouts"], row["left_out"]
    path.write_text(json.dumps(old))
    assert read(path) == rows


def test_the_cost_of_a_training_is_what_the_agent_says_or_that_of_ppo() -> None:
    ppo = replace(agent(0), steps=1000, training={"ppo": {"epochs": 3}})
    assert training_flops(ppo) == 1000 * network_flops("compact", 3)
    assert training_flops(replace(ppo, training=ppo.training | {"flops": 7})) == 7
    assert training_flops(Agent(ActorCritic("compact", 15), OPTIONS)) is None


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="episodes is 0"):
        complete(tmp_path / "table.json", {"a": agent(0)}, 0, 0)
    with pytest.raises(InputError, match=r"^layouts is 'old'; it can be all or new\.$"):
        complete(tmp_path / "table.json", {"a": agent(0)}, 1, 0, layouts="old")
    of_all = replace(agent(0), options=EnvOptions())
    with pytest.raises(InputError, match=r"^b was trained on all levels, so that layouts=new leaves none; it needs"):
        complete(tmp_path / "table.json", {"a": agent(0), "b": of_all}, 1, 0, layouts="new")
    assert not (tmp_path / "table.json").exists(), "refused before anything is played"
    for text in ("no table", '[{"agent": "a"}]'):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(InputError, match=r"other\.json is not a table of evaluations"):
            complete(tmp_path / "other.json", {"a": agent(0)}, 1, 0)
