"""How many levels agents complete: python scripts/evaluate.py agent=runs/train/compact-hard-n100-s0 episodes=2048"""

from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.table import Table

from agents.checkpoint import load_agent
from agents.completion import LEVELS, Row, complete
from agents.computation import tune_process
from agents.naming import agent_files
from common.command import main, plain
from common.progress import CONSOLE, track
from common.values import cores, whole
from rollouts.errors import InputError
from rollouts.locks import locked
from rollouts.sealing import without_digest
from scoring.draw.completion import completion_figure
from scoring.draw.words import NONE, percent_with_interval

FILE, PICTURE = "evaluations.json", "completion.png"


def agents_of(spec: str | list[str]) -> list[Path]:
    """The agents that a file, a folder of them or a list of both names; states of trainings are none."""
    files = [Path(file) for text in ([spec] if isinstance(spec, str) else spec) for file in agent_files(text)]
    agents = [file for file in files if not file.name.startswith("state.")]
    if not agents:
        raise InputError(f"agent is {spec}, where there are no agents.")
    return agents


def table(rows: list[Row]) -> Table:
    """A line an agent, by the number of levels and then by what the training cost."""
    lines = Table("agent", "steps", "TFLOP", *(f"{levels} levels" for levels in LEVELS))
    for row in sorted(rows, key=lambda row: (row.num_levels, row.flops or 0)):
        if row.levels == LEVELS[0]:
            same = {other.levels: other for other in rows if other.sha256 == row.sha256}
            flops = NONE if row.flops is None else f"{row.flops / 1e12:,.1f}"
            shares = [
                percent_with_interval(same[levels].completed, (same[levels].low, same[levels].high))
                for levels in LEVELS
            ]
            lines.add_row(row.agent, f"{row.steps:,}", flops, *shares)
    return lines


def task(config: DictConfig) -> None:
    values = plain(config)
    episodes, seed = whole(values["episodes"], "episodes"), whole(values["seed"], "seed")
    agents = {str(path.with_suffix("")): load_agent(path) for path in agents_of(values["agent"])}
    torch.set_num_threads(whole(values["torch_threads"], "torch_threads") or cores())
    tune_process()
    threads = whole(values["env_threads"], "env_threads") or cores()
    with locked(Path(values["output"])) as output:
        rows = complete(output / FILE, agents, episodes, seed, threads, track)
        CONSOLE.print(table(rows))
        if unsure := without_digest(agents):
            CONSOLE.print(unsure)
        CONSOLE.print(f"{output / FILE}: {rows[0].episodes:,} episodes of each, 95 % Wilson intervals, seed {seed}")
        if completion_figure(output / PICTURE, rows):
            CONSOLE.print(output / PICTURE)


if __name__ == "__main__":
    main(task, "evaluate")
