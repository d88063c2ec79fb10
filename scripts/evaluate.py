"""How many levels agents complete: python scripts/evaluate.py agent=runs/train/compact-hard-n100-s0 episodes=2048"""

from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.table import Table

from agents.checkpoint import load_agent
from agents.completion import Row, complete
from agents.computation import tune_process
from agents.naming import agent_files
from common.command import main, plain
from common.progress import CONSOLE, track
from common.values import cores, whole
from rollouts.errors import InputError
from rollouts.locks import locked

FILE = "evaluations.json"


def agents_of(spec: str | list[str]) -> list[Path]:
    """The agents that a file, a folder of them or a list of both names; states of trainings are none."""
    files = [Path(file) for text in ([spec] if isinstance(spec, str) else spec) for file in agent_files(text)]
    agents = [file for file in files if not file.name.startswith("state.")]
    if not agents:
        raise InputError(f"agent is {spec}, where there are no agents.")
    return agents


def shown(rows: list[Row]) -> Table:
    """A line an agent, in order of what their training cost."""
    table = Table("agent", "steps", "TFLOP", "training levels", "unseen levels")
    by_agent: dict[str, dict[str, Row]] = {}
    for row in sorted(rows, key=lambda row: (row.num_levels, row.flops or 0)):
        by_agent.setdefault(row.agent, {})[row.levels] = row
    for name, levels in by_agent.items():
        row = levels["unseen"]
        shares = [f"{levels[key].completed:.1%} ({levels[key].low:.1%} to {levels[key].high:.1%})" for key in levels]
        table.add_row(name, f"{row.steps:,}", "" if row.flops is None else f"{row.flops / 1e12:,.1f}", *shares)
    return table


def task(config: DictConfig) -> None:
    values = plain(config)
    episodes, seed = whole(values["episodes"], "episodes"), whole(values["seed"], "seed")
    threads = whole(values["threads"], "threads") or cores()
    agents = {str(path.with_suffix("")): load_agent(path) for path in agents_of(values["agent"])}
    torch.set_num_threads(threads)
    tune_process()
    with locked(Path(values["output"])) as output:
        CONSOLE.print(shown(complete(output / FILE, agents, episodes, seed, threads, track)))
        CONSOLE.print(f"{output / FILE}: {episodes:,} episodes or a few more of each, 95 % Wilson intervals")


if __name__ == "__main__":
    main(task, "evaluate", lambda config: "")
