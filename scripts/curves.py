"""Draw learning curves: python scripts/curves.py agents=[a/agent.safetensors,b/agent.safetensors] output=curves.png"""

import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from agents.checkpoint import Agent, load_agent
from common.command import main
from common.progress import CONSOLE
from rollouts.errors import InputError
from scoring.report.curves import curves_figure


def group(path: Path) -> str:
    """The run's name without its seed: runs that differ in nothing else belong together."""
    name = path.parent.name if path.name == "agent.safetensors" else path.stem
    return re.sub(r"-s\d+(?=-|$)", "", name)


def task(config: DictConfig) -> None:
    listed = list(config.agents) if OmegaConf.is_list(config.agents) else [config.agents]
    groups: dict[str, list[Agent]] = {}
    for path in map(Path, listed):
        agent = load_agent(path)
        if not agent.curve:
            raise InputError(f"{path} remembers no learning curve.")
        groups.setdefault(group(path), []).append(agent)
    if not groups:
        raise InputError("agents is an empty list.")
    curves_figure(Path(config.output), groups, str(config.title))
    CONSOLE.print(f"{config.output}: {sum(map(len, groups.values()))} agents in {len(groups)} groups")


if __name__ == "__main__":
    main(task, "curves")
