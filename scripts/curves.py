"""Draw learning curves: python scripts/curves.py 'agents=[runs/train/a,runs/train/b]' output=curves.png"""

from pathlib import Path

from omegaconf import DictConfig

from common.command import main, plain
from agents.naming import agent_files
from common.progress import CONSOLE
from scoring.report.curves import curves_figure, grouped


def task(config: DictConfig) -> None:
    values = plain(config)
    specs, output = values["agents"], Path(str(values["output"]))
    listed = [agent_files(str(spec)) for spec in (specs if isinstance(specs, list) else [specs])]
    groups = grouped([Path(path) for paths in listed for path in paths])
    curves_figure(output, groups, str(values["title"]))
    CONSOLE.print(f"{output}: {sum(map(len, groups.values()))} agents in {len(groups)} groups")


if __name__ == "__main__":
    main(task, "curves")
