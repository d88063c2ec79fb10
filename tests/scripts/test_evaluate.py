"""The command that measures how many levels agents complete."""

from pathlib import Path

from agents.checkpoint import save_agent, untrained_agent
from agents.completion import read
from agents.tensors import save_tensors
from commands import refused, run
from rollouts.env import EnvOptions


def test_a_trainings_folder_is_measured_once_and_its_state_is_no_agent(tmp_path: Path) -> None:
    for name, seed in (("agent-1of2", 0), ("agent", 1)):
        agent = untrained_agent("compact", EnvOptions(num_levels=3), seed)
        save_agent(tmp_path / f"run/{name}.safetensors", agent)
    save_tensors(tmp_path / "run/state.safetensors", {}, {"format": "coinrun-training-3"})
    command = ("agent=run", "episodes=2", "env_threads=1", "torch_threads=1")
    done = run("evaluate", *command, cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    assert "2 episodes of each" in done.stdout
    rows = read(tmp_path / "runs/evaluate/evaluations.json")
    assert (tmp_path / "runs/evaluate/completion.png").exists() == any(row.flops for row in rows)
    assert [(row.agent, row.levels) for row in rows] == [
        ("run/agent-1of2", "training"),
        ("run/agent-1of2", "unseen"),
        ("run/agent", "training"),
        ("run/agent", "unseen"),
    ]
    table = tmp_path / "runs/evaluate/evaluations.json"
    before = table.stat().st_mtime_ns
    assert run("evaluate", *command, cwd=tmp_path).returncode == 0
    assert table.stat().st_mtime_ns == before


def test_on_easy_unseen_levels_are_told_of_and_may_be_left_out(tmp_path: Path) -> None:
    save_agent(tmp_path / "a.safetensors", untrained_agent("compact", EnvOptions("easy", num_levels=200), 0))
    command = ("agent=a.safetensors", "episodes=2", "env_threads=1", "torch_threads=1")
    done = run("evaluate", *command, cwd=tmp_path)
    assert "one of those (7.7% its themes, too); docs/metrics.md. layouts=new leaves these levels out." in done.stdout
    done = run("evaluate", *command, "layouts=new", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "new layouts" in done.stdout
    assert "left out" in done.stdout
    assert "On easy" not in done.stdout
    assert [row.layouts for row in read(tmp_path / "runs/evaluate/evaluations.json")] == ["all", "all", "new"]


def test_bad_input_is_answered_with_one_sentence(tmp_path: Path) -> None:
    assert "There is no checkpoint at missing" in refused("evaluate", "agent=missing", cwd=tmp_path)
    save_tensors(tmp_path / "run/state.safetensors", {}, {"format": "coinrun-training-3"})
    assert "run is a training that is not finished: no agent.safetensors is in it." in refused(
        "evaluate", "agent=run", cwd=tmp_path
    )
    save_agent(tmp_path / "a.safetensors", untrained_agent("compact", EnvOptions(), 0))
    assert "a was trained on all levels, so that layouts=new leaves none; it needs num_levels." in refused(
        "evaluate", "agent=a.safetensors", "layouts=new", cwd=tmp_path
    )
    assert "episodes is 0" in refused("evaluate", "agent=a.safetensors", "episodes=0", cwd=tmp_path)
    assert "episodes is 'x'; it must be a number" in refused(
        "evaluate", "agent=a.safetensors", "episodes=x", cwd=tmp_path
    )
