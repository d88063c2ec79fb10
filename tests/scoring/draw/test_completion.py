"""Completion against cost."""

from pathlib import Path

from agents.completion import Row
from scoring.draw.completion import completion_figure, trainings


def row(agent: str, flops: float | None, levels: str, completed: float = 0.5) -> Row:
    return Row(agent, agent, "compact", 100, 512, flops, levels, 8, 1, completed, completed - 0.1, completed + 0.2, 50)


def test_agents_of_a_folder_are_one_training_in_the_order_of_their_cost(tmp_path: Path) -> None:
    rows = [
        row("runs/a/agent", 3e12, "unseen"),
        row("runs/a/agent-1of2", 1e12, "unseen"),
        row("zoo/b", 2e12, "unseen"),
        row("zoo/unknown", None, "unseen"),
    ]
    groups = trainings(rows)
    assert {name: [row.flops for row in along] for name, along in groups.items()} == {"a": [1e12, 3e12], "b": [2e12]}
    assert completion_figure(tmp_path / "completion.png", rows)
    assert (tmp_path / "completion.png").read_bytes()[:4] == b"\x89PNG"
    assert not completion_figure(tmp_path / "none.png", rows[3:])
    assert not (tmp_path / "none.png").exists()
