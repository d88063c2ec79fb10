"""Collect a frame bank: python scripts/collect.py agent=zoo/compact-hard-all.safetensors bank=spread"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from agents.checkpoint import Agent
from agents.computation import tune_process
from agents.naming import named_agents
from agents.play import Player
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import whole
from rollouts.bank import BankError, FrameBank, load, save
from rollouts.collecting import PLANS, BankPlan, collect, collection_steps
from rollouts.errors import InputError
from scoring.draw.masks import masks_figure

FILE = "bank.zip"
LONGEST = 120
"""Characters of the players' names in a folder's name, which with a score's settings must stay below 255."""


def plan(config: Mapping[str, Any]) -> BankPlan:
    """The bank's plan with as many frames as the configuration asks for."""
    kind = str(config["bank"])
    if kind not in PLANS:
        raise BankError(f"There is no bank '{kind}'; there are {', '.join(PLANS)}.")
    frames, pool_frames = whole(config["frames"], "frames"), whole(config["pool_frames"], "pool_frames")
    chosen = PLANS[kind]
    if frames < 1 or frames % chosen.environments:
        raise BankError(f"frames is {frames}; a {kind} bank has a multiple of {chosen.environments}.")
    return replace(chosen, per_environment=frames // chosen.environments, pool_frames=pool_frames)


def folder(config: Mapping[str, Any]) -> str:
    """The players, the kind of bank, and what is not the default; many players as their number and a digest."""
    chosen = plan(config)
    players = "+".join(name for name, _ in named_agents(config["agent"]))
    if len(players) > LONGEST:
        players = f"{players.count('+') + 1}-agents-{sha256(players.encode()).hexdigest()[:8]}"
    name = f"{players}-{chosen.kind}-s{whole(config['seed'], 'seed')}"
    if chosen.frames != 512:
        name += f"-frames{chosen.frames}"
    if chosen.pool_frames != BankPlan.pool_frames:
        name += f"-pool{chosen.pool_frames}"
    return name + ("" if config["levels"] == "unseen" else f"-{config['levels']}")


def play(players: Sequence[tuple[str, Agent]], chosen: BankPlan, levels: str, seed: int, threads: int) -> FrameBank:
    """Collect with a progress bar; all players must see the same kind of frame."""
    first_name, first = players[0]
    for name, agent in players:
        if not agent.options.same_picture(first.options):
            raise InputError(
                f"{name} and {first_name} were trained on different kinds of frames; they cannot share a bank."
            )
    if levels not in ("unseen", "training"):
        raise InputError(f"levels is '{levels}'; it can be 'unseen' or 'training'.")
    options = first.options.unseen() if levels == "unseen" else first.options
    policies = [(name, Player(agent, seed + index)) for index, (name, agent) in enumerate(players)]
    with track("Playing", collection_steps(chosen)) as update:
        return collect(policies, options, chosen, seed, threads, update)


def obtain(path: Path, config: Mapping[str, Any]) -> FrameBank:
    """The bank at `path`, collected and saved there first if it is missing."""
    chosen = plan(config)
    if path.exists():
        return load(path, chosen.frames)
    players = named_agents(config["agent"])
    bank = play(
        players, chosen, str(config["levels"]), whole(config["seed"], "seed"), whole(config["threads"], "threads")
    )
    save(path, bank)
    return bank


def task(config: DictConfig) -> str | None:
    tune_process()
    with run_folder() as run:
        finished = (run / "masks.png").exists() and (run / FILE).exists()
        bank = obtain(run / FILE, plain(config))
        if finished:
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        masks_figure(run / "masks.png", bank)
        CONSOLE.print(
            f"{run / FILE}: {len(bank)} frames and {len(bank.pool)} to fit on, played by {', '.join(bank.players)}"
        )
        CONSOLE.print(f"{run / 'masks.png'}: some of them, with what is masked")
    return None


if __name__ == "__main__":
    main(task, "collect", folder)
