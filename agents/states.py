"""The state of a training on disk: everything that the rest of it depends on."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from agents.checkpoint import load_weights
from agents.distillation import check_same_imitation
from agents.metadata import STATE_SCHEMA
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.state_checks import PREFIX, check_state, environment, environment_states, weights_of
from agents.tensors import CheckpointError, Damaged, opened, save_tensors
from agents.trainer import Trainer
from rollouts import sealing
from rollouts.env import EnvOptions, renderer_sha256

STATE_FORMAT = "coinrun-training-3"
STATE, PREVIOUS, KEPT = "state.safetensors", "state.previous.safetensors", "state.kept.safetensors"
"""The last state of a training's folder, the one before it, and a light one that was set aside on purpose."""
UNWRITTEN = {"actions": "all"}
"""What a state of an earlier version was trained with, where it does not say."""


Snapshot = tuple[dict[str, Tensor], dict[str, Any]]
"""A state in memory, which the trainer's next steps do not change: its tensors, and what is written beside them."""


def snapshot(trainer: Trainer) -> Snapshot:
    """The state of a trainer between two steps; on a GPU all but the environments."""
    agent, normaliser = trainer.agent, trainer.normaliser
    tensors = {PREFIX + name: value for name, value in agent.network.state_dict().items()}
    names = [name for name, _ in agent.network.named_parameters()]
    for index, moments in trainer.learner.optimiser.state_dict()["state"].items():
        tensors |= {f"adam.{names[index]}.{key}": torch.as_tensor(value) for key, value in moments.items()}
    if trainer.config.saves_environments:
        tensors["generator"] = trainer.generator.get_state()
        tensors["normaliser.returns"] = torch.from_numpy(normaliser.returns)
        tensors["episode_returns"] = torch.from_numpy(trainer.episode_returns)
        tensors["episode_lengths"] = torch.from_numpy(trainer.episode_lengths)
        states = [state for env in trainer.envs for state in env.callmethod("get_state")]
        for index, state in enumerate(states):
            tensors[environment(index)] = torch.frombuffer(bytearray(state), dtype=torch.uint8)
    metadata = {
        "format": STATE_FORMAT,
        "fixed": trainer.config.fixed(),
        "circumstances": trainer.config.circumstances(),
        "environments": trainer.config.saves_environments,
        "renderer": renderer_sha256(),
        "steps": agent.steps,
        "flops": agent.training["flops"],
        "distillation": agent.training.get("distillation"),
        "curve": list(agent.curve),
        "recent": list(trainer.recent),
        "normaliser": [normaliser.mean, normaliser.variance, normaliser.count],
    }
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}, metadata


def write_state(path: Path, trainer: Trainer) -> None:
    """Write the state of a trainer atomically."""
    save_tensors(path, *snapshot(trainer))


def read_state(path: Path, trainer: Trainer) -> bool:
    """Put a trainer where `write_state` found one; returns whether the file has a digest.

    All is read and checked before anything is changed.

    A state that was written on a GPU, or is read on one, goes on with new episodes. Raises `CheckpointError` for
    a damaged file, a run with other settings, or another build of the renderer.
    """
    tensors, metadata = _read(path)
    check_same_run(path, metadata, trainer.config)
    was, now = metadata["renderer"], renderer_sha256()
    if was != now:
        raise CheckpointError(f"{path} was trained on frames of renderer {was[:12]}; this one is {now[:12]}.")
    steps, imitated = metadata["steps"], metadata.get("distillation")
    asked = trainer.config.imitated(steps)
    check_same_imitation(path, steps, imitated, trainer.config.distillation, asked)
    if imitated and trainer.config.distillation.steps > steps:
        trainer.distiller.check_teacher(path, imitated)
    check_state(path, tensors, metadata["environments"], trainer)
    agent, normaliser = trainer.agent, trainer.normaliser
    load_weights(agent.network, weights_of(tensors), path)
    optimiser = trainer.learner.optimiser.state_dict()
    optimiser["state"] = {
        index: _moments(tensors, name)
        for index, (name, _) in enumerate(agent.network.named_parameters())
        if f"adam.{name}.step" in tensors
    }
    trainer.learner.optimiser.load_state_dict(optimiser)
    agent.steps = steps
    acting, learning = trainer.flops
    agent.training["flops"] = metadata.get("flops", steps * (acting + trainer.config.ppo.epochs * learning))
    if imitated:
        agent.training["distillation"] = imitated
    if trainer.config.saves_environments and metadata["environments"]:
        trainer.generator.set_state(tensors["generator"])
        states = environment_states(tensors, trainer.config.ppo.num_envs)
        for env, part in zip(trainer.envs, trainer.parts, strict=True):
            env.callmethod("set_state", states[part])
        normaliser.returns = tensors["normaliser.returns"].numpy().copy()
        trainer.episode_returns = tensors["episode_returns"].numpy().copy()
        trainer.episode_lengths = tensors["episode_lengths"].numpy().copy()
    else:
        trainer.begin_episodes()
    normaliser.mean, normaliser.variance, normaliser.count = metadata["normaliser"]
    agent.training["reward_scale"] = normaliser.scale
    trainer.recent.extend((float(value), int(length)) for value, length in metadata["recent"])
    agent.curve = [(int(steps), float(value)) for steps, value in metadata["curve"]]
    return sealing.DIGEST in metadata


def check_same_run(path: Path, metadata: dict[str, Any], config: TrainConfig) -> None:
    """Raises `CheckpointError` where a state is of a training with other settings."""
    was, now = metadata["fixed"], config.fixed()
    was |= {"options": asdict(EnvOptions(**was["options"])), "ppo": asdict(PPOConfig(**was["ppo"]))}
    if config.deterministic:
        was, now = was | metadata["circumstances"], now | config.circumstances()
    for key, value in now.items():
        before = was.get(key, UNWRITTEN.get(key))
        if before != value:
            raise CheckpointError(f"{path} was trained with {key} = {before}; it cannot go on with {value}.")


def _moments(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Adam's of one parameter; a light state has no first moments, which a few minibatches bring back."""
    second = tensors[f"adam.{name}.exp_avg_sq"]
    first = tensors.get(f"adam.{name}.exp_avg", torch.zeros_like(second))
    return {"step": tensors[f"adam.{name}.step"], "exp_avg": first, "exp_avg_sq": second}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What a state's file holds, its metadata checked; raises `Damaged` for one that is damaged or no state."""
    with opened(path) as file:
        found = file.document.get("format")
        if found != STATE_FORMAT:
            raise Damaged(f"{path} holds '{found}', not a training state ('{STATE_FORMAT}').")
        sealing.fit(STATE_SCHEMA, file.document)
        return file.tensors(), file.document


def save_state(state: Snapshot, folder: Path) -> None:
    """Write a state and keep the one before it; at any moment at least one of the two is whole."""
    last, new = folder / STATE, folder / "state.new.safetensors"
    save_tensors(new, *state)
    if last.exists():
        last.replace(folder / PREVIOUS)
    new.replace(last)


def resume(trainer: Trainer, folder: Path, warn: Callable[[str], None]) -> None:
    """Continue from the state in `folder`, or from the one before it where that fails any check; nothing without any.

    Raises `CheckpointError` when the state belongs to a run with other settings, or none is whole.
    """
    begun = (folder / STATE).exists() or (folder / PREVIOUS).exists()
    names = (STATE, PREVIOUS, KEPT) if begun else (KEPT,)
    states = [folder / name for name in names if name == STATE or (folder / name).exists()]
    for number, state in enumerate(states, start=1):
        try:
            if not read_state(state, trainer):
                warn(f"{state} was written before files had digests, so damage would not be noticed.")
            return
        except Damaged as error:
            if number == len(states):
                raise
            warn(f"{error} Going on from {states[number]}.")


def latest(folder: Path) -> dict[str, Any] | None:
    """What is written beside the tensors of the state that training will go on from, None without one."""
    for name in (STATE, PREVIOUS, KEPT):
        try:
            return _read(folder / name)[1]
        except Damaged:
            continue
    return None


def going_on(config: TrainConfig, folder: Path) -> TrainConfig:
    """The settings in the number format of the state that training will go on from, whatever machine wrote that.

    A deterministic run keeps its own, and is refused where they differ.
    """
    state = latest(folder)
    if state is None or config.deterministic:
        return config
    return replace(config, computation=replace(config.computation, bfloat16=state["fixed"]["bfloat16"]))


def steps_so_far(folder: Path) -> int:
    """Steps of the state that training will go on from, 0 without one."""
    state = latest(folder)
    return 0 if state is None else int(state["steps"])


def lighten(source: Path, target: Path) -> None:
    """Write what may be kept of a begun training where space is dear: a quarter of its state.

    The environments are left out, so a training goes on from it with new episodes, and so are Adam's first moments
    (averages over ten minibatches, which begin at 0 again); the second ones are rounded to bfloat16, three digits of
    what scales each weight's step. Raises `Damaged` where `source` is no state.
    """
    tensors, metadata = _read(source)
    light = {
        name: tensor.to(torch.bfloat16) if name.endswith(".exp_avg_sq") else tensor
        for name, tensor in tensors.items()
        if name.startswith((PREFIX, "adam.")) and not name.endswith(".exp_avg")
    }
    save_tensors(target, light, metadata | {"environments": False})
