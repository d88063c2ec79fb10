"""The ladder as a user climbs it, with runs of seconds."""

from pathlib import Path

import torch
import yaml

import ladder
from agents.checkpoint import load_agent, load_tensors
from commands import ROOT, refused, run

TINY = (
    "train.total_steps=512",
    "train.ppo.num_envs=8",
    "train.ppo.rollout_steps=32",
    "episodes=8",
    "milestones=2",
    "torch_threads=1",
    "env_threads=1",
)


def configuration(tier: str, preset: str) -> dict[str, object]:
    """What Hydra makes of a tier, put together by hand."""
    merged: dict[str, object] = yaml.safe_load((ROOT / "conf/ladder.yaml").read_text())
    chosen = yaml.safe_load((ROOT / f"conf/tier/{tier}.yaml").read_text())
    train = yaml.safe_load((ROOT / "conf/train/procgen.yaml").read_text())
    own = yaml.safe_load((ROOT / f"conf/train/{preset}.yaml").read_text())
    train["total_steps"] = chosen.pop("train", own)["total_steps"]
    return merged | chosen | {"train": train}


def test_rungs_of_two_seeds_share_no_levels_and_any_prefix_is_a_study() -> None:
    listed = ladder.settings(configuration("clear", "zoo")).rungs()
    assert [rung.config.options.num_levels for rung in listed[:7]] == [100, 100_000, 3000, 10_000, 300, 30_000, 1000]
    assert [rung.config.seed for rung in listed] == [0] * 7 + [1] * 7
    for first, second in zip(listed[:7], listed[7:], strict=True):
        assert first.config.options.levels[1] <= second.config.options.levels[0]
    assert {rung.config.total_steps for rung in listed} == {25_000_000}
    compact = ladder.settings(configuration("compact", "procgen")).rungs()
    assert len(compact) == 7
    assert {rung.config.total_steps for rung in compact} == {4_000_000}
    assert len({rung.name for rung in listed + compact}) == 21


def test_a_rung_is_trained_rounded_evaluated_and_shipped_once(tmp_path: Path) -> None:
    done = run("ladder", "levels=[3]", *TINY, cwd=tmp_path, fresh=True)
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
    again = run("ladder", "levels=[3]", *TINY, cwd=tmp_path)
    assert again.returncode == 0
    assert shipped.stat().st_mtime_ns == before
    assert "done, 512 steps" in again.stdout
    assert run("ladder", "levels=[3]", "check=true", *TINY, cwd=tmp_path).returncode == 0
    incomplete = run("ladder", "levels=[3,4]", "check=true", *TINY, cwd=tmp_path)
    assert incomplete.returncode == 1
    assert "error: 1 of 2 rungs are missing: compact-n4-s0; 512 steps to go." in incomplete.stderr

    # Another agent in the place of a rung, and one that cannot be read.
    shipped.rename(shipped.with_name("compact-n4-s0.safetensors"))
    for command in ((), ("check=true",)):
        assert "num_levels=3, start_level=0, game='coinrun'). Move it away." in refused(
            "ladder", "levels=[4]", *command, *TINY, cwd=tmp_path
        )
    longer = [argument for argument in TINY if "total_steps" not in argument]
    shipped.with_name("compact-n4-s0.safetensors").rename(shipped)
    sentence = refused("ladder", "levels=[3]", "train.total_steps=1000", *longer, cwd=tmp_path)
    assert "compact-n3-s0.safetensors is trained for 512 steps of 1,000." in sentence
    shipped.write_bytes(b"no agent")
    assert "compact-n3-s0.safetensors is not a complete" in refused("ladder", "levels=[3]", *TINY, cwd=tmp_path)


def test_levels_that_would_be_shared_are_refused(tmp_path: Path) -> None:
    assert "levels names 200000; a rung has 1 to 100000 levels" in refused("ladder", "levels=[200000]", cwd=tmp_path)
