"""What is trained, on what, for how long, and how: checked before anything runs."""

from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import torch
from annotated_types import Interval

from agents.computation import Computation
from agents.distillation import DistillationConfig
from agents.networks import NETWORKS
from agents.ppo import PPOConfig
from rollouts.env import PROCGEN_ACTIONS, EnvOptions
from rollouts.errors import InputError
from rollouts.ranges import Count, Minutes, Seed, Threads, check_ranges

ACTION_SETS = ("all", "distinct")
Milestones = Annotated[int, Interval(ge=0, le=1000)]


@dataclass(frozen=True)
class TrainConfig:
    """What is trained, on what, for how long, and how it is run.

    `actions` is `all` of procgen's, or those that are `distinct` in the game.
    In the first `distillation.steps` of them a teacher is imitated, PPO follows with the same weights and optimiser.
    `total_steps` counts environment steps and is rounded up to whole rollouts; the agent is also kept at the end of
    each of `milestones` equal parts of them (0: only at the end). A `deterministic` run refuses to go on
    with another computation, number of threads or torch, so that stopping it changes nothing; it needs a CPU, since
    on a GPU the environments are not saved and begin new episodes. Raises `InputError` for settings that cannot be.
    """

    network: str = "compact"
    options: EnvOptions = field(default_factory=EnvOptions)
    actions: str = "all"
    ppo: PPOConfig = field(default_factory=PPOConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    seed: Seed = 0
    total_steps: Count = 25_000_000
    computation: Computation = field(default_factory=Computation)
    env_threads: Threads = 1
    checkpoint_minutes: Minutes = 5
    evaluation_episodes: Annotated[int, Interval(ge=0, le=10_000_000)] = 512
    milestones: Milestones = 0
    deterministic: bool = False

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.network not in NETWORKS:
            raise InputError(f"There is no network '{self.network}'; there are {', '.join(NETWORKS)}.")
        if self.actions not in ACTION_SETS:
            raise InputError(f"actions is '{self.actions}'; it can be {' or '.join(ACTION_SETS)}.")
        if self.ppo.num_envs % self.computation.halves:
            raise InputError(f"{self.ppo.num_envs} environments do not divide into {self.computation.halves} halves.")
        if self.distillation.steps and self.ppo.batch_size % self.distillation.minibatch:
            raise InputError(
                f"{self.ppo.num_envs} environments x {self.ppo.rollout_steps} steps do not divide into minibatches of "
                f"{self.distillation.minibatch} (distillation.minibatch)."
            )
        if self.deterministic and not self.saves_environments:
            raise InputError("A deterministic run needs the CPU: a GPU's run begins new episodes when it goes on.")
        self.options.unseen()  # refuses levels that must stay unseen

    def fixed(self) -> dict[str, Any]:
        """What may not change when a run is resumed."""
        return {
            "network": self.network,
            "options": asdict(self.options),
            "actions": self.actions,
            "ppo": asdict(self.ppo),
            "seed": self.seed,
            "bfloat16": self.computation.bfloat16,
        }

    def circumstances(self) -> dict[str, Any]:
        """What may not change either when a deterministic run is resumed."""
        threads, version = torch.get_num_threads(), torch.__version__
        return {"computation": asdict(self.computation), "torch_threads": threads, "torch": version}

    def imitated(self, steps: int) -> int:
        """How many of the first `steps` environment steps imitate the teacher, in whole rollouts."""
        batch = self.ppo.batch_size
        return min(steps, -(-self.distillation.steps // batch) * batch)

    @property
    def action_set(self) -> tuple[int, ...]:
        """Procgen's actions that the logits stand for."""
        return PROCGEN_ACTIONS if self.actions == "all" else self.options.rules.actions

    @property
    def saves_environments(self) -> bool:
        """Whether the state holds the environments: thousands of them on a GPU would make it large."""
        return self.computation.device == "cpu"
