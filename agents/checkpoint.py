"""Agents on disk: safetensors whose metadata says everything needed to build, play and check the agent."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.evaluation import Evaluation
from agents.metadata import AGENT_SCHEMA
from agents.networks import NETWORKS, ActorCritic
from agents.tensors import (
    WEIGHTS,
    CheckpointError,
    Damaged,
    Expected,
    TensorFile,
    check_kinds,
    kinds_of,
    opened,
    save_tensors,
)
from rollouts import sealing
from rollouts.env import PROCGEN_ACTIONS, EnvOptions, renderer_sha256

FORMAT = "coinrun-agent-1"


@dataclass
class Agent:
    """A network and what it was trained on.

    `actions[a]` is the procgen action that logit a stands for. `steps` counts environment steps, `curve` holds
    (steps, mean return of the last 100 episodes) along training, `evaluation` what `agents.play.evaluate` measured.
    `training["reward_scale"]` is what rewards were multiplied by when the values were learnt last.
    `checked` is false where its file is of before files had a digest, so that damage to it would not be noticed.
    """

    network: ActorCritic
    options: EnvOptions
    actions: tuple[int, ...] = PROCGEN_ACTIONS
    seed: int = 0
    steps: int = 0
    renderer: str = field(default_factory=renderer_sha256)
    curve: list[tuple[int, float]] = field(default_factory=list)
    evaluation: dict[str, Evaluation] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    checked: bool = True

    def __post_init__(self) -> None:
        if len(self.actions) != self.network.num_actions:
            raise CheckpointError(
                f"The network has {self.network.num_actions} logits but the agent's action set has "
                f"{len(self.actions)} actions."
            )
        if not all(action in PROCGEN_ACTIONS for action in self.actions):
            raise CheckpointError(
                f"The action set {list(self.actions)} names actions that procgen does not have (0 to 14)."
            )

    def metadata(self) -> dict[str, Any]:
        """Everything but the weights, as JSON can hold it."""
        return {
            "format": FORMAT,
            "network": self.network.kind,
            "num_actions": self.network.num_actions,
            "actions": list(self.actions),
            "options": asdict(self.options),
            "seed": self.seed,
            "steps": self.steps,
            "renderer": self.renderer,
            "curve": self.curve,
            "evaluation": {levels: evaluation.to_json() for levels, evaluation in self.evaluation.items()},
            "training": self.training,
        }


def save_agent(path: str | Path, agent: Agent, half: bool = False) -> None:
    """Write the agent atomically; in `half` the space, with float16 weights that `halve` has made exact."""
    weights = agent.network.state_dict()
    save_tensors(path, {name: w.half() for name, w in weights.items()} if half else weights, agent.metadata())


def halve(agent: Agent) -> None:
    """Round the weights to float16, so that an agent shipped in half the space is the one that was evaluated."""
    with torch.no_grad():
        for weight in agent.network.parameters():
            weight.copy_(weight.half())


def load_agent(path: str | Path, network: str | None = None) -> Agent:
    """Read an agent, in evaluation mode on the CPU. Its sizes are compared with the network's before any is allocated.

    Raises `CheckpointError` when the file is missing, damaged, not an agent, or not of the kind `network`.
    """
    with opened(path) as file:
        kind = _check_kind(file, network)
        metadata = sealing.fit(AGENT_SCHEMA, file.document)
        with torch.device("meta"):
            check_kinds(path, file.kinds, _expected(ActorCritic(kind, metadata.num_actions)), f"a '{kind}' network")
        weights = file.tensors()
    agent = Agent(
        network=ActorCritic(kind, metadata.num_actions),
        options=metadata.options,
        actions=metadata.actions,
        seed=metadata.seed,
        steps=metadata.steps,
        renderer=metadata.renderer,
        curve=metadata.curve,
        evaluation=metadata.evaluation,
        training=metadata.training,
        checked=metadata.sha256 is not None,
    )
    load_weights(agent.network, weights, path)
    agent.network.eval()
    return agent


def _check_kind(file: TensorFile, network: str | None) -> str:
    """The name of the network whose weights a file holds; raises `CheckpointError` for one that was not asked for."""
    path, found = file.path, file.document.get("format")
    if found != FORMAT:
        raise CheckpointError(f"{path} holds '{found}', not an agent ('{FORMAT}').")
    kind = file.document.get("network")
    if network is not None and kind != network:
        raise CheckpointError(f"{path} holds a '{kind}' network, not '{network}'.")
    if not isinstance(kind, str) or kind not in NETWORKS:
        raise CheckpointError(f"{path} holds a '{kind}' network; this version knows {', '.join(NETWORKS)}.")
    return kind


def _expected(network: ActorCritic) -> dict[str, Expected]:
    return {name: (WEIGHTS, tuple(weights.shape)) for name, weights in network.state_dict().items()}


def check_weights(network: ActorCritic, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Raises `Damaged` naming the first tensor that is missing, of another kind, not finite, or superfluous."""
    check_kinds(path, kinds_of(tensors), _expected(network), f"a '{network.kind}' network")
    for name, weights in network.state_dict().items():
        if not torch.isfinite(tensors[name].to(weights.dtype)).all():
            raise Damaged(f"{path}: the weights '{name}' are not all finite numbers.")


def load_weights(network: ActorCritic, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Copy weights into the network, after `check_weights`, whose error it raises."""
    check_weights(network, tensors, path)
    network.load_state_dict(dict(tensors))


def fingerprint(agent: Agent) -> str:
    """SHA-256 of the weights: says which agent played a bank or earned a score."""
    digest = hashlib.sha256()
    for name, tensor in sorted(agent.network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def untrained_agent(network: str, options: EnvOptions, seed: int, actions: tuple[int, ...] = PROCGEN_ACTIONS) -> Agent:
    """A freshly initialised agent, the control of every score; the global random state is left alone."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        agent = Agent(ActorCritic(network, len(actions)), options, actions, seed)
    agent.network.eval()
    return agent
