"""What is told of the ladder: how far its rungs are, and README.md of its finished agents."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from agents.checkpoint import Agent, load_agent
from agents.ladder import Rung
from rollouts.files import write_atomically
from scoring.draw.markdown import table
from scoring.draw.words import percent_with_interval

INTRODUCTION = """# The ladder

Agents of `python scripts/ladder.py`, weights in float16, evaluated as they are:
sampled actions, 95 % Wilson intervals, unseen levels from 2³⁰ on. Each file has its learning curve
(`curves.py agents=[…]` draws it).
"""


def status(rungs: Sequence[Rung]) -> Table:
    """What is done, begun and missing."""
    rows = Table("rung", "state", "training levels", "unseen levels")
    for rung in rungs:
        shares = completed(load_agent(rung.shipped)) if rung.done else ["", ""]
        rows.add_row(rung.name, rung.state(), *shares)
    return rows


def write_catalogue(folder: Path) -> None:
    """README.md of a folder of finished agents: a table of them."""
    heads = ("agent", "levels", "steps", "training levels", "unseen levels", "episodes of each", "command")
    rows = []
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: (len(path.name), path.name)):
        agent = load_agent(path)
        first, last = agent.options.levels
        unseen = agent.evaluation.get("unseen")
        rows.append(
            (
                path.stem,
                f"{first:,} to {last - 1:,}",
                f"{agent.steps:,}",
                *completed(agent),
                f"{0 if unseen is None else unseen.episodes:,}",
                f"`{agent.training.get('command', '')}`",
            )
        )
    write_atomically(folder / "README.md", f"{INTRODUCTION}\n{table(heads, rows)}\n")


def completed(agent: Agent) -> list[str]:
    """Of training levels and of unseen ones."""
    evaluations = [agent.evaluation.get(levels) for levels in ("training", "unseen")]
    return [
        "not evaluated" if evaluation is None else percent_with_interval(evaluation.completed, evaluation.interval)
        for evaluation in evaluations
    ]
