"""Climbing a rung of the ladder: trained, rounded, evaluated and shipped once."""

from collections.abc import Callable
from pathlib import Path

from agents.checkpoint import Agent, halve, load_agent, save_agent
from agents.ladder import Rung
from agents.play import evaluate
from agents.running import finished
from agents.training import PREVIOUS, STATE, TrainConfig
from rollouts.progress import Track, untracked


def climb(
    rung: Rung, episodes: int, train: Callable[[TrainConfig, Path, str], Agent], track: Track = untracked
) -> Agent:
    """Train a rung to its end, round its weights to what is shipped, evaluate those, and put them into the zoo.

    `train` takes the settings, the folder and a name, and returns the trained agent.
    """
    final = rung.run / "agent.safetensors"
    steps = rung.config.total_steps
    agent = load_agent(final) if finished(final, steps) else train(rung.config, rung.run, rung.name)
    halve(agent)
    agent.training["command"] = f"python scripts/ladder.py tier={rung.config.network}"
    measure(agent, rung, episodes, track)
    save_agent(rung.shipped, agent, half=True)
    tidy(rung.run)
    return agent


def measure(agent: Agent, rung: Rung, episodes: int, track: Track = untracked) -> None:
    """Completion on training levels and on unseen ones."""
    options = rung.config.options
    for levels, played in (("training", options), ("unseen", options.unseen())):
        with track(f"{rung.name} on {levels} levels", episodes) as update:
            agent.evaluation[levels] = evaluate(
                agent, played, episodes, rung.config.seed + 1, rung.config.env_threads, update
            )


def tidy(run: Path) -> None:
    """Leave of a finished rung the agents along the way, in float16."""
    for path in run.glob("agent-*of*.safetensors"):
        save_agent(path, load_agent(path), half=True)
    for name in (STATE, PREVIOUS):
        (run / name).unlink(missing_ok=True)
