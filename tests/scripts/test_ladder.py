"""The ladder as a user climbs it, with runs of seconds."""

from pathlib import Path

import pytest
import torch

import ladder
from agents.checkpoint import fingerprint, load_agent, save_agent, untrained_agent
from agents.ladder import Rung
from agents.tensors import load_tensors
from commands import configuration, refused, run
from rollouts.env import EnvOptions

TINY = (
    "train.total_steps=512",
    "train.ppo.num_envs=8",
    "train.ppo.rollout_steps=32",
    "episodes=8",
    "torch_threads=1",
    "env_threads=1",
)
COMPACT = ("tier=compact", "milestones=2", *TINY)


def rungs(tier: str) -> list[Rung]:
    return ladder.settings(configuration("ladder", f"tier={tier}")).rungs()


def test_rungs_of_two_seeds_share_no_levels_and_any_prefix_is_a_study() -> None:
    order = [100, 100_000, 3000, 10_000, 300, 30_000, 1000]
    clear, compact, staged = rungs("clear"), rungs("compact"), rungs("compact2")
    assert [rung.config.options.num_levels for rung in clear] == 2 * order
    assert [rung.config.seed for rung in clear] == [0] * 7 + [1] * 7
    for first, second in zip(clear[:7], clear[7:], strict=True):
        assert first.config.options.levels[1] <= second.config.options.levels[0]
    assert {rung.config.total_steps for rung in clear} == {25_000_000}
    assert [rung.config.options.num_levels for rung in compact] == order
    assert {rung.config.total_steps for rung in compact} == {4_000_000}
    assert [rung.config.options.num_levels for rung in staged] == 8 * order
    millions = [(rung.config.total_steps // 1_000_000, rung.config.seed) for rung in staged[::7]]
    assert millions == [(4, 0), (8, 0), (16, 0), (4, 1), (8, 1), (16, 1), (32, 0), (32, 1)]
    assert len({rung.shipped for rung in clear + compact + staged}) == 14 + 7 + 56
    assert not {rung.run for rung in staged} & {rung.run for rung in clear + compact}


@pytest.mark.long
def test_a_training_is_kept_at_every_stage_and_goes_on_from_a_light_state(tmp_path: Path) -> None:
    save_agent(tmp_path / "openai.safetensors", untrained_agent("nature", EnvOptions(), 3))
    teacher = ("distillation.teacher=openai.safetensors", "distillation.steps=256")
    command = (*TINY, *teacher, "levels=[3,4]", "stages=[256,512]", "next_seed_at=null", "seeds=[0]", "episodes=4")
    done = run("ladder", *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = done.stdout.replace("\n", "")
    order = [printed.index(f"zoo/compact2/{stage}/compact-n{n}-s0") for stage in (256, 512) for n in (3, 4)]
    assert order == sorted(order)
    zoo, states = tmp_path / "zoo/compact2", tmp_path / "ladder/compact2"
    agents = {stage: load_agent(zoo / str(stage) / "compact-n3-s0.safetensors") for stage in (256, 512)}
    assert [agent.steps for agent in agents.values()] == [256, 512]
    assert all(agent.training["distillation"]["steps"] == 256 for agent in agents.values())
    assert fingerprint(agents[256]) != fingerprint(agents[512])
    assert not list(states.rglob("state*")), "the last stage is over"
    assert (zoo / "README.md").read_text().count("| 512/compact-n3-s0 | 0 to 2 | 512 |") == 1
    assert run("ladder", *command, "check=true", cwd=tmp_path).returncode == 0
    assert (
        "error: stages names 256 after 512; they must increase from above 0."
        in run("ladder", *command, "stages=[512,256]", cwd=tmp_path).stderr
    )
    (tmp_path / "openai.safetensors").unlink()
    sentence = refused("ladder", *command, "levels=[5]", cwd=tmp_path)
    assert "There is no teacher at openai.safetensors, whom compact-n5-s0 is to imitate for 256 steps" in sentence


@pytest.mark.long
def test_a_rung_is_trained_rounded_evaluated_and_shipped_once(tmp_path: Path) -> None:
    done = run("ladder", "levels=[3]", *COMPACT, cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    shipped = tmp_path / "zoo/ladder/compact-n3-s0.safetensors"
    tensors, _ = load_tensors(shipped)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    agent = load_agent(shipped)
    assert agent.options.levels == (0, 3)
    assert agent.steps == 512
    assert {name: evaluation.episodes for name, evaluation in agent.evaluation.items()} == {"training": 8, "unseen": 8}
    trained = load_agent(tmp_path / "ladder/compact-n3-s0/agent.safetensors")
    for exact, rounded in zip(trained.network.parameters(), agent.network.parameters(), strict=True):
        assert torch.equal(exact.half().float(), rounded)
    along_the_way, _ = load_tensors(tmp_path / "ladder/compact-n3-s0/agent-1of2.safetensors")
    assert {tensor.dtype for tensor in along_the_way.values()} == {torch.float16}
    assert not list((tmp_path / "ladder/compact-n3-s0").glob("state*"))
    (row,) = [line for line in (shipped.parent / "README.md").read_text().splitlines() if "compact-n3-s0" in line]
    assert row.startswith("| compact-n3-s0 | 0 to 2 | 512 | ")
    assert "| 8 | `python scripts/ladder.py tier=compact` |" in row
    before = shipped.stat().st_mtime_ns
    again = run("ladder", "levels=[3]", *COMPACT, cwd=tmp_path)
    assert again.returncode == 0
    assert shipped.stat().st_mtime_ns == before
    assert "0.0% (0.0% to 32.4%) | 0.0% (0.0% to 32.4%)" in again.stdout
    assert run("ladder", "levels=[3]", "check=true", *COMPACT, cwd=tmp_path).returncode == 0
    incomplete = run("ladder", "levels=[3,4]", "check=true", *COMPACT, cwd=tmp_path)
    assert incomplete.returncode == 1
    assert "error: 1 of 2 rungs are missing: compact-n4-s0; 512 steps to go." in incomplete.stderr

    # Another agent in the place of a rung, and one that cannot be read.
    shipped.rename(shipped.with_name("compact-n4-s0.safetensors"))
    for command in ((), ("check=true",)):
        assert "num_levels=3, start_level=0, game='coinrun'). Move it away." in refused(
            "ladder", "levels=[4]", *command, *COMPACT, cwd=tmp_path
        )
    longer = [argument for argument in COMPACT if "total_steps" not in argument]
    shipped.with_name("compact-n4-s0.safetensors").rename(shipped)
    sentence = refused("ladder", "levels=[3]", "train.total_steps=1000", *longer, cwd=tmp_path)
    assert "compact-n3-s0.safetensors is trained for 512 steps of 1,000." in sentence
    shipped.write_bytes(b"no agent")
    assert "compact-n3-s0.safetensors is not a complete" in refused("ladder", "levels=[3]", *COMPACT, cwd=tmp_path)


def test_levels_that_would_be_shared_are_refused(tmp_path: Path) -> None:
    assert "levels is 200000; it must be from 1 to 100,000" in refused("ladder", "levels=[200000]", cwd=tmp_path)
