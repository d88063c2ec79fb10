"""Agents on disk: safetensors whose metadata says everything needed to build, play and check the agent."""

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from agents.evaluation import Evaluation
from agents.networks import NETWORKS, ActorCritic
from rollouts.documents import to_json
from rollouts.env import PROCGEN_ACTIONS, EnvOptions, renderer_sha256
from rollouts.errors import InputError
from rollouts.files import atomic_path

FORMAT = "coinrun-agent-1"


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, or of another kind than expected."""


@dataclass
class Agent:
    """A network and what it was trained on.

    `actions[a]` is the procgen action that logit a stands for. `steps` counts environment steps, `curve` holds
    (steps, mean return of the last 100 episodes) along training, `evaluation` what `agents.play.evaluate` measured.
    `training["reward_scale"]` is what rewards were multiplied by when the values were learnt last.
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


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a safetensors file atomically; `metadata` becomes one JSON string under the key `metadata`."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        try:
            save_file(contiguous, temporary, {"metadata": to_json(metadata)})
        except SafetensorError as error:
            raise CheckpointError(f"{path} cannot be written: {error}.") from error


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file that `save_tensors` wrote; raises `CheckpointError` for anything else."""
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("metadata", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except (SafetensorError, OSError, ValueError, struct.error) as error:
        raise CheckpointError(f"{path} is not a complete safetensors file: {error}.") from error
    if not isinstance(metadata, dict):
        raise CheckpointError(f"{path} is a safetensors file without this project's metadata.")
    return tensors, metadata


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
    """Read an agent, in evaluation mode on the CPU.

    Raises `CheckpointError` when the file is missing, damaged, not an agent, or not of the kind `network`.
    """
    tensors, metadata = load_tensors(path)
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path} holds '{metadata.get('format')}', not an agent ('{FORMAT}').")
    try:
        kind = metadata["network"]
        if network is not None and kind != network:
            raise CheckpointError(f"{path} holds a '{kind}' network, not '{network}'.")
        if kind not in NETWORKS:
            raise CheckpointError(f"{path} holds a '{kind}' network; this version knows {', '.join(NETWORKS)}.")
        agent = Agent(
            network=ActorCritic(kind, metadata["num_actions"]),
            options=EnvOptions(**metadata["options"]),
            actions=tuple(metadata["actions"]),
            seed=metadata["seed"],
            steps=metadata["steps"],
            renderer=metadata["renderer"],
            curve=[(int(steps), float(value)) for steps, value in metadata["curve"]],
            evaluation={levels: Evaluation.from_json(values) for levels, values in metadata["evaluation"].items()},
            training=metadata["training"],
        )
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{path} has incomplete metadata: {error}.") from error
    load_weights(agent.network, tensors, path)
    agent.network.eval()
    return agent


def load_weights(network: ActorCritic, tensors: Mapping[str, Tensor], path: str | Path) -> None:
    """Copy weights into the network.

    Raises `CheckpointError` naming the first tensor that is missing, of another shape, not finite, or superfluous.
    """
    wanted = network.state_dict()
    for name, tensor in wanted.items():
        if name not in tensors:
            raise CheckpointError(f"{path} lacks the weights '{name}' of a '{network.kind}' network.")
        if tensors[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: '{name}' has shape {tuple(tensors[name].shape)}, "
                f"a '{network.kind}' network needs {tuple(tensor.shape)}."
            )
        if not torch.isfinite(tensors[name]).all():
            raise CheckpointError(f"{path}: the weights '{name}' are not all finite numbers.")
    unknown = sorted(set(tensors) - set(wanted))
    if unknown:
        raise CheckpointError(f"{path} has weights '{unknown[0]}' that a '{network.kind}' network does not have.")
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
