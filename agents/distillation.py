"""Distillation: the student plays, a teacher labels every frame, and the student copies it.

The frames are the student's own and always fresh, as in DAgger (Ross et al. 2011). What is copied is the teacher's
whole distribution over actions (Rusu et al. 2016, "Policy Distillation", equation 3, at temperature 1) and its value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from agents.checkpoint import Agent, fingerprint, load_agent
from agents.computation import COMPILED, frame_flops
from agents.ppo import Learner, TrainingError
from agents.tensors import CheckpointError, Damaged
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.progress import Check, unhindered
from rollouts.ranges import Count, CountOrNone, Rate, check_ranges


@dataclass(frozen=True)
class DistillationConfig:
    """Who is imitated in the first `steps` environment steps of a training, and how.

    `teacher` is an agent's file. Each rollout is passed `epochs` times in minibatches of `minibatch` frames: the loss
    has little noise, so minibatches can be far smaller than PPO's, and `learning_rate` larger. Raises `InputError` for
    settings that cannot be.
    """

    teacher: str = ""
    steps: CountOrNone = 0
    epochs: Count = 1
    minibatch: Count = 64
    learning_rate: Rate = 1e-3

    def __post_init__(self) -> None:
        check_ranges(self, "distillation.")
        if bool(self.teacher) != bool(self.steps):
            raise InputError(
                f"distillation.teacher is '{self.teacher}' and distillation.steps is {self.steps}; "
                "give both, or neither."
            )


def action_map(teacher: Sequence[int], student: Sequence[int], game: Game) -> Tensor:
    """Matrix (teacher's logits, student's logits) that takes the teacher's probabilities to the student's logits.

    Both hold the procgen action of each logit. Logits of the teacher with the same action add up, an action that the
    teacher lacks gets nothing, and one that the student lacks goes to its first that is the same move in the game.
    Raises `InputError` where there is none.
    """
    matrix = torch.zeros(len(teacher), len(student))
    for row, action in enumerate(teacher):
        move = next((actions for actions in game.moves.values() if action in actions), ())
        same = next((candidate for candidate in (action, *move) if candidate in student), None)
        if same is None:
            raise InputError(f"The teacher takes procgen's action {action}, which the student does not have.")
        matrix[row, student.index(same)] = 1
    return matrix


@dataclass(frozen=True)
class ImitationLosses:
    """Sums over a slice of a minibatch (not means), so that slices add up."""

    policy_kl: Tensor
    value: Tensor
    entropy: Tensor


def imitation_losses(logits: Tensor, values: Tensor, probabilities: Tensor, targets: Tensor) -> ImitationLosses:
    """KL(teacher || student) and half the squared error of the value; logits (batch, actions), values (batch,).

    `probabilities` (batch, actions) are the teacher's, zeros among them, and `targets` (batch,) its values in the
    student's units. `entropy` is the student's, in nats.
    """
    log_probs = torch.log_softmax(logits, dim=-1)
    policy_kl = (torch.xlogy(probabilities, probabilities) - probabilities * log_probs).sum()
    value = 0.5 * (values - targets).square().sum()
    return ImitationLosses(policy_kl, value, -(log_probs.exp() * log_probs).sum())


class Distiller:
    """A teacher, and the update that its labels of one rollout make in a learner's network.

    Raises `CheckpointError` for a teacher that cannot be read or sees other pictures than `options` draw, and
    `InputError` for one whose actions the student lacks.
    """

    def __init__(
        self, config: DistillationConfig, learner: Learner, options: EnvOptions, actions: Sequence[int]
    ) -> None:
        teacher = _read(config.teacher)
        if not teacher.options.same_picture(options):
            raise CheckpointError(
                f"The teacher {config.teacher} sees frames of {teacher.options}; the training draws those of {options}."
            )
        self.config = config
        self.learner = learner
        self.fingerprint = fingerprint(teacher)
        self.flops = frame_flops(teacher.network)[0]
        computation = learner.computation
        compiles = teacher.network.kind in COMPILED[computation.device]
        self.forward = replace(computation, compiled=computation.compiled and compiles).function(teacher.network)
        self.slice_size = computation.slice_size or config.minibatch
        self.action_map = action_map(teacher.actions, actions, options.rules).to(computation.device)

    @torch.no_grad()
    def label(self, frames: Tensor, check: Check = unhindered) -> tuple[Tensor, Tensor]:
        """The teacher's probabilities of the student's actions (batch, actions), and its values (batch,).

        Frames are (batch, 64, 64, 3) uint8; a value is the teacher's expected discounted return. `check` is called
        before each slice of them.
        """
        outputs = []
        for part in frames.split(self.slice_size):
            check()
            outputs.append(self.forward(part))
        logits, values = zip(*outputs, strict=True)
        return torch.cat(logits).softmax(dim=-1) @ self.action_map, torch.cat(values)

    def check_teacher(self, state: Path, was: Mapping[str, Any]) -> None:
        """Raises `CheckpointError` where a state imitated another teacher, of which `record` said `was`."""
        if self.fingerprint != was["teacher"]:
            raise CheckpointError(
                f"{state} imitated the teacher {was['teacher'][:12]}; {self.config.teacher} is {self.fingerprint[:12]}."
            )

    def record(self, steps: int) -> dict[str, Any]:
        """What an agent that imitated this teacher for `steps` environment steps says of it."""
        return {**asdict(self.config), "teacher": self.fingerprint, "steps": steps}

    def update(
        self,
        frames: Tensor,
        reward_scale: float,
        generator: torch.Generator,
        begin: bool = False,
        check: Check = unhindered,
    ) -> dict[str, float]:
        """Imitate the teacher on frames (time, envs, 64, 64, 3); returns the means that `docs/metrics.md` explains.

        `reward_scale` takes the teacher's values to the units of PPO's, which are of normalised rewards. To `begin`,
        the bias of the value is set to their mean: a good agent's values lie close together and far from 0, and
        carrying all weights there costs tens of thousands of frames. `check` is called before each slice of frames.
        Raises `TrainingError` when the loss or its gradient is not finite.
        """
        config, learner = self.config, self.learner
        frames = frames.flatten(0, 1)
        probabilities, values = self.label(frames, check)
        targets = reward_scale * values
        if begin:
            nn.init.constant_(learner.network.value.bias, targets.mean().item())
        sums = torch.zeros(4, device=frames.device)
        for _ in range(config.epochs):
            order = torch.randperm(len(frames), generator=generator, device=frames.device)
            for minibatch in order.split(config.minibatch):
                learner.optimiser.zero_grad(set_to_none=True)
                for part in minibatch.split(self.slice_size):
                    check()
                    loss = imitation_losses(*learner.forward(frames[part]), probabilities[part], targets[part])
                    total = loss.policy_kl + learner.config.value_coef * loss.value
                    (total / len(minibatch)).backward()
                    sums[:3] += torch.stack([loss.policy_kl, loss.value, loss.entropy]).detach()
                norm = nn.utils.clip_grad_norm_(learner.network.parameters(), learner.config.max_grad_norm)
                sums[3] += len(minibatch) * norm
                learner.optimiser.step()
        policy_kl, value_loss, entropy, gradient_norm = (sums / (config.epochs * len(frames))).tolist()
        if not np.isfinite([policy_kl, value_loss, entropy, gradient_norm]).all():
            raise TrainingError("The loss or its gradient is not finite: training stops, and its last state is intact.")
        return {
            "policy_kl": policy_kl,
            "value_loss": value_loss,
            "entropy": entropy,
            "gradient_norm": gradient_norm,
            "teacher_value_r2": 1 - 2 * value_loss / max(targets.var(correction=0).item(), 1e-12),
            "teacher_entropy": torch.special.entr(probabilities).sum(dim=-1).mean().item(),
        }


def check_same_imitation(
    state: Path, steps: int, was: Mapping[str, Any] | None, config: DistillationConfig, asked: int
) -> None:
    """Refuse a state after `steps` steps whose part under a teacher, as `Distiller.record` has it, was another.

    `asked` is how many of these steps `config` imitates. Raises `CheckpointError`.
    """
    done = 0 if was is None else was["steps"]
    if done != asked:
        raise CheckpointError(
            f"{state} imitated a teacher in {done:,} of its {steps:,} steps; with distillation.steps = "
            f"{config.steps:,} it would be {asked:,}."
        )
    if was is None:
        return
    for key in ("epochs", "minibatch", "learning_rate"):
        if was[key] != getattr(config, key):
            raise CheckpointError(
                f"{state} was trained with distillation.{key} = {was[key]}; "
                f"it cannot go on with {getattr(config, key)}."
            )


def _read(path: str) -> Agent:
    if not Path(path).is_file():
        raise CheckpointError(f"There is no teacher at {path}; it is needed until its part of the training is over.")
    try:
        return load_agent(path)
    except Damaged as error:
        raise CheckpointError(f"The teacher cannot be imitated: {error}") from error
