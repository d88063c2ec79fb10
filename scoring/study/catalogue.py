"""What is told of the ladder: how far its rungs are, and README.md of its finished agents."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from agents.checkpoint import Agent, load_agent
from agents.ladder import Rung
from rollouts.files import visible, write_atomically
from scoring.draw.layouts import on_unseen_levels
from scoring.draw.markdown import table
from scoring.draw.words import percent_with_interval

INTRODUCTION = """# The ladder

Agents of `python scripts/ladder.py`, weights in float16, evaluated as they are:
sampled actions, 95 % Wilson intervals, unseen levels from 2³⁰ on. Each file has its learning curve
(`curves.py 'agents=[…]'` draws it).
"""


def status(rungs: Sequence[Rung]) -> Table:
    """What is done, begun and missing: a row for each training, a column for each of its stages."""
    stages = sorted({rung.config.total_steps for rung in rungs})
    rows = Table("training", *(f"{steps:,} steps" for steps in stages), title="Training levels | unseen levels")
    trainings: dict[str, dict[int, Rung]] = {}
    for rung in rungs:
        trainings.setdefault(rung.run.name, {})[rung.config.total_steps] = rung
    for name, by_stage in trainings.items():
        rows.add_row(name, *(_cell(by_stage[steps]) if steps in by_stage else "" for steps in stages))
    return rows


def _cell(rung: Rung) -> str:
    return " | ".join(completed(load_agent(rung.shipped))) if rung.done else rung.state()


def write_catalogue(folder: Path) -> None:
    """README.md of a folder of finished agents, which may have a folder for each stage: a table of them."""
    heads = ("agent", "levels", "steps", "training levels", "unseen levels", "episodes of each", "command")
    agents = [
        (path.relative_to(folder).with_suffix(""), load_agent(path)) for path in visible(folder, "**/*.safetensors")
    ]
    agents.sort(key=lambda one: (one[1].steps, one[1].seed, one[1].network.kind, one[1].options.num_levels))
    rows: list[list[str]] = []
    for name, agent in agents:
        first, last = agent.options.levels
        unseen = agent.evaluation.get("unseen")
        rows.append(
            [
                str(name),
                f"{first:,} to {last - 1:,}",
                f"{agent.steps:,}",
                *completed(agent),
                f"{0 if unseen is None else unseen.episodes:,}",
                f"`{agent.training.get('command', '')}`",
            ]
        )
    note = on_unseen_levels(agent.options for _, agent in agents)
    parts = [INTRODUCTION, f"{table(heads, rows)}\n", *([f"{note}\n"] if note else [])]
    write_atomically(folder / "README.md", "\n".join(parts))


def completed(agent: Agent) -> list[str]:
    """Of training levels and of unseen ones."""
    evaluations = [agent.evaluation.get(levels) for levels in ("training", "unseen")]
    return [
        "not evaluated" if evaluation is None else percent_with_interval(evaluation.completed, evaluation.interval)
        for evaluation in evaluations
    ]
