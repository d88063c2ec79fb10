"""The ladder: agents trained on 100 to 100,000 levels, each rung resumable, on whatever machine this runs.

python scripts/ladder.py tier=compact
python scripts/ladder.py tier=compact check=true
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.table import Table

from agents.checkpoint import Agent, CheckpointError, halve, load_agent, save_agent
from agents.computation import choose, tune_process
from agents.play import evaluate
from agents.ppo import PPOConfig
from agents.training import PREVIOUS, STATE, TrainConfig
from common.command import main, plain
from common.progress import CONSOLE, track
from common.values import build, cores, whole
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.files import write_atomically
from rollouts.locks import InUse, locked
from train import carry_out, finished, latest, print_evaluation, steps_so_far

APART = 100_000
"""First levels of two seeds are so far apart: more than any rung has levels, so two agents of a rung share none."""


class Incomplete(InputError):
    """Rungs of the ladder are missing."""


@dataclass(frozen=True)
class Rung:
    """One agent of the ladder: how it is trained, where its state is kept and where the finished agent goes."""

    config: TrainConfig
    run: Path
    shipped: Path

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def done(self) -> bool:
        return self.shipped.exists()

    def misfit(self) -> str | None:
        """Why the file that is shipped for this rung is not its finished agent, or None."""
        if not self.done:
            return None
        try:
            agent = load_agent(self.shipped)
        except CheckpointError as error:
            return str(error)
        config = self.config
        for what, is_so in (
            (f"of network {agent.network.network}", agent.network.network == config.network),
            (f"of {agent.options}", agent.options == config.options),
            (f"of seed {agent.seed}", agent.seed == config.seed),
            (f"trained for {agent.steps:,} steps of {config.total_steps:,}", agent.steps >= config.total_steps),
            ("not evaluated", {"training", "unseen"} <= set(agent.evaluation)),
        ):
            if not is_so:
                return f"{self.shipped} is {what}."
        return None


def rungs(config: Mapping[str, Any]) -> list[Rung]:
    """The tier's agents in the order of training: all levels with the first seed, then with the next."""
    network, steps = str(config["network"]), whole(config["train"]["total_steps"], "train.total_steps")
    ppo = build(PPOConfig, config["train"]["ppo"], "train.ppo")
    threads = whole(config["env_threads"], "env_threads") or cores()
    listed = []
    for seed in config["seeds"]:
        for levels in config["levels"]:
            number, first = whole(levels, "levels"), whole(seed, "seeds") * APART
            if not 0 < number <= APART:
                raise InputError(f"levels names {number}; a rung has 1 to {APART} levels.")
            name = f"{network}-n{number}-s{seed}"
            run = Path(config["states"]) / name
            kept = {key: config[key] for key in ("checkpoint_minutes", "milestones")}
            options = EnvOptions(num_levels=number, start_level=first)
            training = build(
                TrainConfig,
                kept,
                "",
                network=network,
                options=options,
                ppo=ppo,
                seed=int(seed),
                total_steps=steps,
                computation=choose(network, steps, precision=precision(run)),
                env_threads=threads,
                evaluation_episodes=0,
            )
            listed.append(Rung(training, run, Path(config["zoo"]) / f"{name}.safetensors"))
    return listed


def precision(run: Path) -> str:
    """The number format of the state that training goes on from, on whatever machine; `auto` without one."""
    state = latest(run)
    return "auto" if state is None else "bfloat16" if state["fixed"]["bfloat16"] else "float32"


def task(config: DictConfig) -> None:
    values = plain(config)
    listed = rungs(values)
    episodes = whole(values["episodes"], "episodes")
    torch.set_num_threads(whole(values["torch_threads"], "torch_threads") or cores())
    tune_process()
    if misfits := [misfit for rung in listed if (misfit := rung.misfit())]:
        raise InputError(f"In the place of a finished rung: {' '.join(misfits)} Move it away.")
    CONSOLE.print(status(listed))
    missing = [rung for rung in listed if not rung.done]
    if values["check"]:
        if missing:
            raise Incomplete(
                f"{len(missing)} of {len(listed)} rungs are missing: {', '.join(r.name for r in missing)}; "
                f"{steps_left(missing):,} steps to go."
            )
        return
    busy = []
    began, trained = time.monotonic(), 0
    for number, rung in enumerate(missing, start=1):
        try:
            with locked(rung.run):
                if rung.done:  # by another process meanwhile
                    continue
                before = steps_left([rung])
                climb(rung, episodes)
                trained += before
                write_catalogue(rung.shipped.parent)
        except InUse:
            busy.append(rung.name)
        left = steps_left(missing[number:])
        if trained and left:
            hours = left * (time.monotonic() - began) / trained / 3600
            CONSOLE.print(f"{len(missing) - number} rungs to go, {left:,} steps: about {hours:.1f} hours")
    CONSOLE.print(status(listed))
    if busy:
        CONSOLE.print(f"Trained by other processes: {', '.join(busy)}.")


def steps_left(listed: Sequence[Rung]) -> int:
    """Steps that rungs are still to be trained for."""
    return sum(rung.config.total_steps - steps_so_far(rung.run) for rung in listed if not rung.done)


def climb(rung: Rung, episodes: int) -> None:
    """Train a rung to its end, round its weights to what is shipped, evaluate those, and put them into the zoo."""
    final = rung.run / "agent.safetensors"
    steps = rung.config.total_steps
    agent = load_agent(final) if finished(final, steps) else carry_out(rung.config, rung.run, rung.name)
    halve(agent)
    agent.training["command"] = f"python scripts/ladder.py tier={rung.config.network}"
    measure(agent, rung, episodes)
    save_agent(rung.shipped, agent, half=True)
    tidy(rung.run)
    CONSOLE.print(f"{rung.shipped}: {agent.steps:,} steps")
    print_evaluation(agent)


def tidy(run: Path) -> None:
    """Leave of a finished rung the agents along the way, in float16."""
    for path in run.glob("agent-*of*.safetensors"):
        save_agent(path, load_agent(path), half=True)
    for name in (STATE, PREVIOUS):
        (run / name).unlink(missing_ok=True)


def measure(agent: Agent, rung: Rung, episodes: int) -> None:
    """Completion on training levels and on unseen ones, with a progress bar."""
    options = rung.config.options
    for name, played in (("training", options), ("unseen", options.unseen())):
        with track(f"{rung.name} on {name} levels", episodes) as update:
            found = evaluate(agent, played, episodes, rung.config.seed + 1, rung.config.env_threads, update)
        agent.evaluation[name] = found.to_json()


def write_catalogue(folder: Path) -> None:
    """README.md of a folder of finished agents: a table of them."""
    lines = [
        "# The ladder",
        "",
        "Agents of `python scripts/ladder.py`, weights in float16, evaluated as they are:",
        "sampled actions, 95 % Wilson intervals, unseen levels from 2³⁰ on. Each file has its learning curve",
        "(`curves.py agents=[…]` draws it).",
        "",
        "| agent | levels | steps | training levels | unseen levels | episodes of each | command |",
        "|---|---|---|---|---|---|---|",
    ]
    for path in sorted(folder.glob("*.safetensors"), key=lambda path: (len(path.name), path.name)):
        agent = load_agent(path)
        first, last = agent.options.levels
        shares = [_completed(agent.evaluation.get(name)) for name in ("training", "unseen")]
        episodes = agent.evaluation.get("unseen", {}).get("episodes", 0)
        lines.append(
            f"| {path.stem} | {first:,} to {last - 1:,} | {agent.steps:,} | {' | '.join(shares)} | {episodes:,} "
            f"| `{agent.training.get('command', '')}` |"
        )
    write_atomically(folder / "README.md", "\n".join(lines) + "\n")


def status(listed: list[Rung]) -> Table:
    """What is done, begun and missing."""
    table = Table("rung", "state", "training levels", "unseen levels")
    for rung in listed:
        if rung.done:
            agent = load_agent(rung.shipped)
            shares = [_completed(agent.evaluation.get(name)) for name in ("training", "unseen")]
            table.add_row(rung.name, f"done, {agent.steps:,} steps", *shares)
            continue
        steps = steps_so_far(rung.run)
        begun = f"{steps:,} of {rung.config.total_steps:,} steps" if steps else "missing"
        table.add_row(rung.name, f"{begun}{', running' if running(rung) else ''}", "", "")
    return table


def running(rung: Rung) -> bool:
    """Whether a process is training the rung now."""
    if not (rung.run / ".lock").exists():
        return False
    try:
        with locked(rung.run):
            return False
    except InUse:
        return True


def _completed(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "not evaluated"
    low, high = found["interval"]
    return f"{found['completed']:.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main(task, "ladder", lambda config: "")
