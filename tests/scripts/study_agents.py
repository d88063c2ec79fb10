"""Agents of a study of the fewest rungs."""

from pathlib import Path

from agents.checkpoint import Agent, save_agent, untrained_agent
from rollouts.env import EnvOptions


def trained(levels: int, seed: int, steps: int, late_return: float) -> Agent:
    """An untrained network, another for each number of steps, that says it was trained, and what it lately got."""
    agent = untrained_agent("nature", EnvOptions(num_levels=levels), seed + steps)
    agent.seed, agent.steps, agent.curve = seed, steps, [(steps, late_return)]
    return agent


def write_agents(folder: Path) -> Path:
    """Two rungs in `agents`, checkpoints of one of them in `kept` beside it, and a file that is no agent in each."""
    agents, kept = folder / "agents", folder / "kept/nature-n300"
    agents.mkdir(parents=True)
    kept.mkdir(parents=True)
    save_agent(agents / "nature-n100.safetensors", trained(100, 1, 1000, 6.0))
    save_agent(agents / "nature-n300.safetensors", trained(300, 2, 3000, 8.0))
    save_agent(kept / "agent-1of3.safetensors", trained(300, 2, 1000, 2.0))
    save_agent(kept / "agent-2of3.safetensors", trained(300, 2, 2000, 6.5))
    (agents / "broken.safetensors").write_bytes(b"no agent")
    (kept / "agent-3of3.safetensors").write_bytes(b"no checkpoint")
    return agents
