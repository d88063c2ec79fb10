"""How many levels agents complete: python scripts/evaluate.py agent=runs/train/compact-hard-n100-s0 layouts=new"""

from pathlib import Path

import torch
from omegaconf import DictConfig
from rich.table import Table

from common.command import main, plain
from agents.checkpoint import load_agent
from agents.completion import LEVELS, Row, complete
from agents.computation import tune_process
from agents.naming import agent_files
from common.progress import CONSOLE, track
from common.values import threads, whole
from rollouts.errors import InputError
from rollouts.locks import locked
from rollouts.ranges import Episodes, Seed
from rollouts.sealing import without_digest
from scoring.draw.completion import completion_figure
from scoring.draw.layouts import on_unseen_levels
from scoring.draw.words import NONE, percent, percent_with_interval

FILE, PICTURE = "evaluations.json", "completion.png"


def agents_of(spec: str | list[str]) -> list[Path]:
    """The agents that a file, a folder of them or a list of both names; a training's milestones are among them."""
    agents: list[Path] = []
    for text in [spec] if isinstance(spec, str) else spec:
        kept = sorted(p for p in Path(text).glob("*.safetensors") if not p.name.startswith(("state.", ".")))
        agents += kept or map(Path, agent_files(text))
    if not agents:
        raise InputError(f"agent is {spec}, where there are no agents.")
    return agents


def table(rows: list[Row]) -> Table:
    """A line an agent, by the number of levels and then by what the training cost."""
    new = any(row.layouts == "new" for row in rows)
    heads = ["agent", "steps", "TFLOP", *(f"{levels} levels" for levels in LEVELS)]
    lines = Table(*heads[:-1], *(["unseen levels of new layouts", "left out"] if new else heads[-1:]))
    for row in sorted(rows, key=lambda row: (row.num_levels, row.flops or 0)):
        if row.levels == LEVELS[0]:
            same = {other.levels: other for other in rows if other.sha256 == row.sha256}
            flops = NONE if row.flops is None else f"{row.flops / 1e12:,.1f}"
            shares = [
                percent_with_interval(same[levels].completed, (same[levels].low, same[levels].high))
                for levels in LEVELS
            ]
            left_out = [percent(same[LEVELS[1]].left_out)] if new else []
            lines.add_row(row.agent, f"{row.steps:,}", flops, *shares, *left_out)
    return lines


def task(config: DictConfig) -> None:
    values = plain(config)
    episodes, seed = whole(values["episodes"], "episodes", Episodes), whole(values["seed"], "seed", Seed)
    env_threads, torch_threads = (threads(values[key], key) for key in ("env_threads", "torch_threads"))
    layouts = str(values["layouts"])
    agents = {str(path.with_suffix("")): load_agent(path) for path in agents_of(values["agent"])}
    torch.set_num_threads(torch_threads)
    tune_process()
    with locked(Path(values["output"]), warn=CONSOLE.print) as output:
        rows = complete(output / FILE, agents, episodes, seed, env_threads, track, layouts)
        CONSOLE.print(table(rows))
        if layouts == "all" and (note := on_unseen_levels(agent.options for agent in agents.values())):
            CONSOLE.print(f"{note} layouts=new leaves these levels out.")
        if unsure := without_digest(agents):
            CONSOLE.print(unsure)
        CONSOLE.print(f"{output / FILE}: {rows[0].episodes:,} episodes of each, 95 % Wilson intervals, seed {seed}")
        if completion_figure(output / PICTURE, rows):
            CONSOLE.print(output / PICTURE)


if __name__ == "__main__":
    main(task, "evaluate")
