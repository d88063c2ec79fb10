"""What a training state must hold before a trainer takes anything of it."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from agents.checkpoint import check_weights
from agents.tensors import WEIGHTS, Damaged, Expected, check_kinds, kinds_of
from agents.trainer import Trainer
from rollouts.parsers import PARSERS
from rollouts.procgen_state import StateError

PREFIX = "network."
"""What the names of the network's weights begin with in a state."""
_NEVER_NEGATIVE = (".exp_avg_sq", ".step", "episode_lengths")


def weights_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The network's weights in a state, by their names in the network."""
    return {name.removeprefix(PREFIX): value for name, value in tensors.items() if name.startswith(PREFIX)}


def check_state(path: Path, tensors: Mapping[str, Tensor], environments: bool, trainer: Trainer) -> None:
    """Raises `Damaged` unless a state, which says whether it holds `environments`, is one of this trainer.

    Names, number formats and shapes are checked, numbers are finite, the environments' states are read, and so is
    that of the random numbers.
    """
    check_kinds(path, kinds_of(tensors), _expected(tensors, environments, trainer), "a training state")
    check_weights(trainer.agent.network, weights_of(tensors), path)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise Damaged(f"{path}: '{name}' does not hold finite numbers only.")
        if name.endswith(_NEVER_NEGATIVE) and (tensor < 0).any():
            raise Damaged(f"{path}: '{name}' holds numbers below 0.")
    if environments:
        parse = PARSERS[trainer.config.options.game]
        for index, state in enumerate(environment_states(tensors, trainer.config.ppo.num_envs)):
            try:
                parse(state)
            except StateError as error:
                raise Damaged(f"{path}: environment {index} cannot be restored: {error}") from error
    if environments and trainer.config.saves_environments:
        try:
            torch.Generator(trainer.generator.device).set_state(tensors["generator"])
        except RuntimeError as error:
            raise Damaged(f"{path}: 'generator' is no state of random numbers.") from error


def environment_states(tensors: Mapping[str, Tensor], num_envs: int) -> list[bytes]:
    """The bytes behind each environment, in order."""
    return [tensors[environment(index)].numpy().tobytes() for index in range(num_envs)]


def environment(index: int) -> str:
    """The name of an environment's state."""
    return f"env.{index:05d}"


def _expected(tensors: Mapping[str, Tensor], environments: bool, trainer: Trainer) -> dict[str, Expected]:
    """All tensors of a state: Adam's from the first update on, and without first moments in a light state."""
    expected: dict[str, Expected] = {}
    begun = any(name.startswith("adam.") for name in tensors)
    moments = ("exp_avg", "exp_avg_sq") if any(name.endswith(".exp_avg") for name in tensors) else ("exp_avg_sq",)
    for name, weights in trainer.agent.network.named_parameters():
        shape = tuple(weights.shape)
        expected[PREFIX + name] = WEIGHTS, shape
        if begun:
            expected[f"adam.{name}.step"] = WEIGHTS, ()
            expected |= {f"adam.{name}.{moment}": (WEIGHTS, shape) for moment in moments}
    if environments:
        num = trainer.config.ppo.num_envs
        expected |= dict.fromkeys(("normaliser.returns", "episode_returns"), ((torch.float64,), (num,)))
        expected["episode_lengths"] = (torch.int64,), (num,)
        expected |= dict.fromkeys(("generator", *map(environment, range(num))), ((torch.uint8,), None))
    return expected
