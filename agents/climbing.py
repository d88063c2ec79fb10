"""Climbing to a rung of the ladder: trained, rounded, evaluated and shipped once."""

from collections.abc import Callable
from pathlib import Path

from agents.checkpoint import Agent, halve, load_agent, save_agent
from agents.ladder import Rung
from agents.play import evaluate
from agents.recipe import TrainConfig
from agents.running import trained
from agents.states import KEPT, PREVIOUS, STATE, lighten
from agents.tensors import CheckpointError
from rollouts.files import visible
from rollouts.progress import Track, untracked


def climb(
    rung: Rung, episodes: int, train: Callable[[TrainConfig, Path, str], Agent], track: Track = untracked
) -> Agent:
    """Train a rung to its end, round its weights to what is shipped, evaluate those, and put them into the zoo.

    `train` takes the settings, the folder and a name, and returns the trained agent. However it ends, a light state is
    set aside, from which the training can go on elsewhere.
    """
    agent = trained(rung.run, rung.config)
    if agent is None:
        try:
            agent = train(rung.config, rung.run, rung.name)
        finally:
            set_aside(rung.run)
    halve(agent)
    agent.training["command"] = rung.command
    measure(agent, rung, episodes, track)
    save_agent(rung.shipped, agent, half=True)
    tidy(rung)
    return agent


def measure(agent: Agent, rung: Rung, episodes: int, track: Track = untracked) -> None:
    """Completion on training levels and on unseen ones."""
    options = rung.config.options
    for levels, played in (("training", options), ("unseen", options.unseen())):
        with track(f"{rung.name} on {levels} levels", episodes) as update:
            agent.evaluation[levels] = evaluate(
                agent, played, episodes, rung.config.seed + 1, rung.config.env_threads, update
            )


def tidy(rung: Rung) -> None:
    """Leave of a finished rung the agents along the way, in float16, and a light state where the training goes on."""
    run = rung.run
    for path in visible(run, "agent-*of*.safetensors"):
        save_agent(path, load_agent(path), half=True)
    for name in (STATE, PREVIOUS, KEPT) if rung.last else (STATE, PREVIOUS):
        (run / name).unlink(missing_ok=True)


def set_aside(run: Path) -> None:
    """Write the light form of a training's last state beside it, where there is one that can be read."""
    for name in (STATE, PREVIOUS):
        try:
            lighten(run / name, run / KEPT)
        except CheckpointError:
            continue
        return
