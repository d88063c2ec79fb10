"""Rungs of the ladder without training them."""

from dataclasses import replace
from pathlib import Path

import pytest

from agents.checkpoint import Agent, load_agent, save_agent, untrained_agent
from agents.climbing import climb
from agents.computation import Computation
from agents.distillation import DistillationConfig
from agents.evaluation import Evaluation
from agents.ladder import Incomplete, Ladder, check_complete, check_ready, missing, steps_left
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.states import KEPT, STATE, write_state
from agents.tensors import CheckpointError, load_tensors
from agents.trainer import Trainer
from agents.training import train
from rollouts.errors import InputError
from rollouts.locks import locked
from test_training import stopped_after


def test_a_rung_goes_on_in_the_number_format_that_it_began_in(tmp_path: Path) -> None:
    for bfloat16 in (True, False):
        rung = small(tmp_path).rungs()[0]
        trainer = Trainer(replace(rung.config, computation=Computation(bfloat16=bfloat16)))
        rung.run.mkdir(parents=True, exist_ok=True)
        write_state(rung.run / STATE, trainer)
        assert small(tmp_path).rungs()[0].config.computation.bfloat16 == bfloat16


def small(folder: Path, levels: tuple[int, ...] = (3, 4)) -> Ladder:
    return Ladder("tiny", "nature", levels, (0, 1), (1000,), states=folder / "states", zoo=folder / "zoo")


def test_rungs_come_seed_after_seed_and_share_no_levels(tmp_path: Path) -> None:
    rungs = small(tmp_path).rungs()
    assert [rung.name for rung in rungs] == ["nature-n3-s0", "nature-n4-s0", "nature-n3-s1", "nature-n4-s1"]
    assert [rung.config.options.levels for rung in rungs] == [(0, 3), (0, 4), (100_000, 100_003), (100_000, 100_004)]
    with pytest.raises(InputError, match="levels is 0; it must be from 1 to 100,000"):
        small(tmp_path, (0,))


def test_all_levels_reach_a_stage_before_any_goes_on_and_the_next_seed_waits(tmp_path: Path) -> None:
    ladder = replace(small(tmp_path), stages=(1_000_000, 2_000_000, 3_500_000), next_seed_at=2_000_000)
    rungs = ladder.rungs()
    assert [rung.name.removeprefix("nature-") for rung in rungs[:5]] == [
        *("n3-s0 at 1M", "n4-s0 at 1M", "n3-s0 at 2M", "n4-s0 at 2M", "n3-s1 at 1M")
    ]
    assert [rung.name.removeprefix("nature-") for rung in rungs[8:]] == [
        *("n3-s0 at 3500000", "n4-s0 at 3500000", "n3-s1 at 3500000", "n4-s1 at 3500000")
    ]
    assert rungs[0].run == rungs[2].run == rungs[8].run == tmp_path / "states/nature-n3-s0"
    assert rungs[2].shipped == tmp_path / "zoo/2M/nature-n3-s0.safetensors"
    assert [rung.begins for rung in rungs[0:9:2]] == [0, 1_000_000, 0, 1_000_000, 2_000_000]
    assert [rung.last for rung in rungs] == 8 * [False] + 4 * [True]
    assert steps_left(rungs) == 4 * 3_500_000
    for stages, message in (
        ((2000, 1000), "stages names 1,000 after 2,000; they must increase from above 0"),
        ((0, 1000), "stages is 0; it must be at least 1"),
        ((), "stages is an empty list"),
    ):
        with pytest.raises(InputError, match=message):
            replace(ladder, stages=stages, next_seed_at=None)
    with pytest.raises(InputError, match="next_seed_at is 1,500,000; it must be one of the stages"):
        replace(ladder, next_seed_at=1_500_000)


def test_what_cannot_go_on_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    teacher = DistillationConfig(str(tmp_path / "teacher.safetensors"), steps=512)
    ppo = PPOConfig(num_envs=8, rollout_steps=32)
    ladder = replace(small(tmp_path), stages=(600, 1000), ppo=ppo, distillation=teacher)
    with pytest.raises(CheckpointError, match="whom nature-n3-s0 is to imitate for 512 steps"):
        check_ready(ladder.rungs())
    check_ready(replace(ladder, distillation=DistillationConfig()).rungs())
    rungs = replace(ladder, distillation=DistillationConfig()).rungs()
    trainer = Trainer(rungs[0].config)
    trainer.agent.steps = 768
    rungs[0].run.mkdir(parents=True)
    write_state(rungs[0].run / STATE, trainer)
    check_ready(rungs)
    assert steps_left(rungs) == 7 * 1000 + 232 - 4000 * 1
    with pytest.raises(CheckpointError, match="was trained with ppo = "):
        check_ready(replace(ladder, ppo=replace(ppo, epochs=1), distillation=DistillationConfig()).rungs())
    trainer.agent.steps = 1024
    write_state(rungs[0].run / STATE, trainer)
    with pytest.raises(CheckpointError, match="nature-n3-s0 at 600 is missing, and its training is at 1,024 steps"):
        check_ready(rungs)


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


def test_a_training_goes_on_from_its_stages_light_state(tmp_path: Path) -> None:
    ppo = PPOConfig(num_envs=8, rollout_steps=32)
    first, second, third = replace(small(tmp_path, (3,)), seeds=(0,), stages=(256, 512, 768), ppo=ppo).rungs()
    said: list[str] = []
    trained: list[int] = []

    def carry(config: TrainConfig, run: Path, name: str) -> Agent:
        agent = train(config, run, report=lambda progress: trained.append(progress.steps), warn=said.append)
        assert agent is not None
        return agent

    climb(first, 4, carry)
    assert {path.name for path in first.run.glob("state*")} == {KEPT}
    assert "env.00000" not in load_tensors(first.run / KEPT)[0]
    climb(second, 4, carry)
    assert trained == [256, 512]
    flops = [load_agent(rung.shipped).training["flops"] for rung in (first, second)]
    assert flops[1] == 2 * flops[0]
    (third.run / STATE).write_bytes(b"a disk was full")
    climb(third, 4, carry)
    assert trained == [256, 512, 768]
    (sentence,) = said
    assert sentence.startswith(f"{third.run / STATE} is not a complete safetensors file: ")
    assert sentence.endswith(f" Going on from {third.run / KEPT}.")
    assert not list(third.run.glob("state*"))
    assert [load_agent(rung.shipped).steps for rung in (first, second, third)] == [256, 512, 768]


def test_a_rung_that_a_process_holds_is_running(tmp_path: Path) -> None:
    rung = small(tmp_path).rungs()[1]
    assert not rung.running()
    with locked(rung.run):
        assert rung.running()
        trainer = Trainer(replace(rung.config, ppo=PPOConfig(num_envs=8, rollout_steps=32)))
        trainer.agent.steps = 256
        write_state(rung.run / STATE, trainer)
        assert rung.state() == "256 of 1,000 steps, running"
    assert not rung.running()


def test_a_training_that_ends_early_leaves_a_light_state(tmp_path: Path) -> None:
    ppo = PPOConfig(num_envs=8, rollout_steps=32)
    (rung,) = replace(small(tmp_path, (3,)), seeds=(0,), ppo=ppo).rungs()

    def broken(config: TrainConfig, run: Path, name: str) -> Agent:
        assert train(config, run, **stopped_after(2)) is None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        climb(rung, 4, broken)
    assert load_tensors(rung.run / KEPT)[1]["steps"] == 512
    (rung.run / STATE).unlink()
    assert rung.state() == "512 of 1,000 steps"
