"""The ladder: agents trained on more and more levels, kept at every stage of their training, and how far each is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from annotated_types import Interval

from agents.checkpoint import load_agent
from agents.computation import choose
from agents.distillation import DistillationConfig
from agents.ppo import PPOConfig
from agents.recipe import Milestones, TrainConfig
from agents.states import STATE, check_same_run, going_on, latest, steps_so_far
from agents.tensors import CheckpointError
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.locks import InUse, locked
from rollouts.ranges import Count, Minutes, Seed, Threads, check_ranges

APART = 100_000
"""First levels of two seeds are so far apart: more than any rung has levels, so two agents of a rung share none."""


class Incomplete(InputError):
    """Rungs of the ladder are missing."""


@dataclass(frozen=True)
class Ladder:
    """Which agents there are to be, how they are trained, and where they are kept.

    Every number of levels is a training, which is kept at each of the `stages` (environment steps, rounded up to
    whole rollouts). Trainings have a folder each in `states`; the agents go to `zoo`, into a folder for each stage
    where there are several. A seed's trainings reach `next_seed_at` before the next seed begins, by default their last
    stage. `name` is that of the tier. Raises `InputError` for stages that do not increase, and for a number of levels
    that two seeds would share.
    """

    name: str
    network: str
    levels: tuple[Annotated[int, Interval(ge=1, le=APART)], ...]
    seeds: tuple[Seed, ...]
    stages: tuple[Count, ...]
    next_seed_at: Count | None = None
    states: Path = Path("ladder")
    zoo: Path = Path("zoo/ladder")
    actions: str = "all"
    ppo: PPOConfig = field(default_factory=PPOConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)
    milestones: Milestones = 5
    checkpoint_minutes: Minutes = 5
    env_threads: Threads = 1

    def __post_init__(self) -> None:
        check_ranges(self)
        for earlier, later in zip((0, *self.stages), self.stages, strict=False):
            if later <= earlier:
                raise InputError(f"stages names {later:,} after {earlier:,}; they must increase from above 0.")
        if not self.stages:
            raise InputError("stages is an empty list.")
        if self.next_seed_at is not None and self.next_seed_at not in self.stages:
            raise InputError(f"next_seed_at is {self.next_seed_at:,}; it must be one of the stages.")

    def rungs(self) -> list["Rung"]:
        """In the order of training: all levels reach a stage before any goes on."""
        turn = len(self.stages) if self.next_seed_at is None else 1 + self.stages.index(self.next_seed_at)
        seed_by_seed = [(stage, seed) for seed in self.seeds for stage in range(turn)]
        stage_by_stage = [(stage, seed) for stage in range(turn, len(self.stages)) for seed in self.seeds]
        return [
            self.rung(levels, seed, stage) for stage, seed in seed_by_seed + stage_by_stage for levels in self.levels
        ]

    def rung(self, levels: int, seed: int, stage: int) -> "Rung":
        name = f"{self.network}-n{levels}-s{seed}"
        run = self.states / name
        several = len(self.stages) > 1
        config = TrainConfig(
            network=self.network,
            options=EnvOptions(num_levels=levels, start_level=seed * APART),
            actions=self.actions,
            ppo=self.ppo,
            distillation=self.distillation,
            seed=seed,
            total_steps=self.stages[stage],
            computation=choose(self.network, self.stages[-1]),
            env_threads=self.env_threads,
            checkpoint_minutes=self.checkpoint_minutes,
            evaluation_episodes=0,
            milestones=self.milestones,
        )
        folder = self.zoo / short(config.total_steps) if several else self.zoo
        return Rung(
            going_on(config, run),
            run,
            folder / f"{name}.safetensors",
            command=f"python scripts/ladder.py tier={self.name}",
            begins=self.stages[stage - 1] if stage else 0,
            last=config.total_steps == self.stages[-1],
        )


def short(steps: int) -> str:
    """'4M' for 4,000,000; digits where they are not whole millions."""
    return f"{steps // 1_000_000}M" if steps % 1_000_000 == 0 else str(steps)


@dataclass(frozen=True)
class Rung:
    """One agent of the ladder: a training up to a stage, where its state is kept and where the agent goes.

    `command` is what trains it. The training `begins` where the stage before ended, and is over with the `last`.
    """

    config: TrainConfig
    run: Path
    shipped: Path
    command: str
    begins: int = 0
    last: bool = True

    @property
    def name(self) -> str:
        """Of the training, and of the stage where it has several."""
        return (
            self.run.name if self.last and not self.begins else f"{self.run.name} at {short(self.config.total_steps)}"
        )

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
        imitated = agent.training.get("distillation", {}).get("steps", 0)
        for what, is_so in (
            (f"of network {agent.network.kind}", agent.network.kind == config.network),
            (f"of {agent.options}", agent.options == config.options),
            (f"of seed {agent.seed}", agent.seed == config.seed),
            (f"of {len(agent.actions)} actions", agent.actions == config.action_set),
            (f"trained under a teacher for {imitated:,} steps", imitated == config.imitated(agent.steps)),
            (
                f"trained for {agent.steps:,} steps of {config.total_steps:,}",
                config.total_steps <= agent.steps < config.total_steps + config.ppo.batch_size,
            ),
            ("not evaluated", {"training", "unseen"} <= set(agent.evaluation)),
        ):
            if not is_so:
                return f"{self.shipped} is {what}."
        return None

    def state(self) -> str:
        """'done, 512 steps', '256 of 512 steps, running' or 'missing'."""
        if self.done:
            return f"done, {load_agent(self.shipped).steps:,} steps"
        steps = steps_so_far(self.run)
        begun = f"{steps:,} of {self.config.total_steps:,} steps" if steps > self.begins else "missing"
        return f"{begun}{', running' if begun != 'missing' and self.running() else ''}"

    def running(self) -> bool:
        """Whether a process is training the rung now."""
        if not (self.run / ".lock").exists():
            return False
        try:
            with locked(self.run):
                return False
        except InUse:
            return True


def missing(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs still to be climbed; raises `InputError` where another agent is in the place of a finished one."""
    if misfits := [misfit for rung in rungs if (misfit := rung.misfit())]:
        raise InputError(f"In the place of a finished rung: {' '.join(misfits)} Move it away.")
    return [rung for rung in rungs if not rung.done]


def check_ready(rungs: Sequence[Rung]) -> None:
    """That the trainings of missing rungs can begin or go on.

    Raises `CheckpointError` for a state of another recipe, or one that is past the stage that is missing, and for a
    teacher whose file is missing.
    """
    for rung in rungs:
        state, distillation = latest(rung.run), rung.config.distillation
        steps = 0 if state is None else int(state["steps"])
        if state is not None:
            check_same_run(rung.run / STATE, state, rung.config)
        if steps >= rung.config.total_steps + rung.config.ppo.batch_size:
            raise CheckpointError(f"{rung.name} is missing, and its training is at {steps:,} steps already.")
        if steps < distillation.steps and not Path(distillation.teacher).is_file():
            raise CheckpointError(
                f"There is no teacher at {distillation.teacher}, whom {rung.run.name} is to imitate for "
                f"{distillation.steps:,} steps; scripts/import_openai.py makes it of the published checkpoint."
            )


def check_complete(rungs: Sequence[Rung]) -> None:
    """Raises `Incomplete` unless every rung is shipped."""
    if absent := missing(rungs):
        raise Incomplete(
            f"{len(absent)} of {len(rungs)} rungs are missing: {', '.join(rung.name for rung in absent)}; "
            f"{steps_left(absent):,} steps to go."
        )


def steps_left(rungs: Sequence[Rung]) -> int:
    """Steps that rungs are still to be trained for, each from where the stage before it ends or its state is."""
    return sum(
        max(rung.config.total_steps - max(rung.begins, steps_so_far(rung.run)), 0) for rung in rungs if not rung.done
    )


def hours(steps: int, steps_per_second: float) -> str:
    """'1,000,000 steps, about 0.3 hours'."""
    return f"{steps:,} steps, about {steps / steps_per_second / 3600:.1f} hours"
