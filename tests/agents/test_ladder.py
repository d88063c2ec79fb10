"""Rungs of the ladder without training them."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.checkpoint import save_agent, untrained_agent
from agents.computation import Computation
from agents.evaluation import Evaluation
from agents.ladder import Incomplete, Ladder, check_complete, missing, precision, steps_left
from agents.ppo import PPOConfig
from agents.training import TrainConfig, Trainer
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.locks import locked


def test_a_rung_goes_on_in_the_number_format_that_it_began_in(tmp_path: Path) -> None:
    config = TrainConfig("compact", EnvOptions(num_levels=3), ppo=PPOConfig(num_envs=8, rollout_steps=32))
    for bfloat16, name in ((True, "bfloat16"), (False, "float32")):
        Trainer(replace(config, computation=Computation(bfloat16=bfloat16))).save(tmp_path / "state.safetensors")
        assert precision(tmp_path) == name
    assert precision(tmp_path / "nowhere") == "auto"


def small(folder: Path, levels: tuple[int, ...] = (3, 4)) -> Ladder:
    return Ladder("nature", levels, (0, 1), 1000, folder / "states", folder / "zoo")


def test_rungs_come_seed_after_seed_and_share_no_levels(tmp_path: Path) -> None:
    rungs = small(tmp_path).rungs()
    assert [rung.name for rung in rungs] == ["nature-n3-s0", "nature-n4-s0", "nature-n3-s1", "nature-n4-s1"]
    assert [rung.config.options.levels for rung in rungs] == [(0, 3), (0, 4), (100_000, 100_003), (100_000, 100_004)]
    with pytest.raises(InputError, match="levels names 0; a rung has 1 to 100000 levels"):
        small(tmp_path, (0,))


def test_a_rung_is_missing_until_its_finished_agent_is_shipped(tmp_path: Path) -> None:
    rungs = small(tmp_path).rungs()
    first = rungs[0]
    assert first.state() == "missing"
    assert steps_left(rungs) == 4000
    agent = untrained_agent("nature", first.config.options, 0)
    agent.steps = 1024
    save_agent(first.shipped, agent)
    assert first.misfit() == f"{first.shipped} is not evaluated."
    with pytest.raises(InputError, match=r"In the place of a finished rung: .*not evaluated"):
        missing(rungs)
    played = Evaluation((0, 3), 8, 0.5, (0.2, 0.8), 5.0, 100.0)
    agent.evaluation = {"training": played, "unseen": played}
    save_agent(first.shipped, agent)
    assert first.state() == "done, 1,024 steps"
    assert [rung.name for rung in missing(rungs)] == ["nature-n4-s0", "nature-n3-s1", "nature-n4-s1"]
    assert steps_left(rungs) == 3000
    with pytest.raises(Incomplete, match=r"3 of 4 rungs are missing: nature-n4-s0, .*; 3,000 steps to go"):
        check_complete(rungs)
    check_complete(rungs[:1])
    agent.seed = 1
    save_agent(first.shipped, agent)
    assert first.misfit() == f"{first.shipped} is of seed 1."


def test_a_rung_that_a_process_holds_is_running(tmp_path: Path) -> None:
    rung = small(tmp_path).rungs()[1]
    assert not rung.running()
    with locked(rung.run):
        assert rung.running()
        assert rung.state() == "missing, running"
    assert not rung.running()
