"""Draw learning curves: python scripts/curves.py agents=[a/agent.safetensors,b/agent.safetensors] output=curves.png"""

from pathlib import Path

from omegaconf import DictConfig

from common.command import main, plain
from common.progress import CONSOLE
from scoring.report.curves import curves_figure, grouped


def task(config: DictConfig) -> None:
    values = plain(config)
    paths, output = values["agents"], Path(str(values["output"]))
    groups = grouped([Path(str(path)) for path in (paths if isinstance(paths, list) else [paths])])
    curves_figure(output, groups, str(values["title"]))
    CONSOLE.print(f"{output}: {sum(map(len, groups.values()))} agents in {len(groups)} groups")


if __name__ == "__main__":
    main(task, "curves")
