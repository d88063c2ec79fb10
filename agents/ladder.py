"""The ladder: agents trained on more and more levels, and how far each rung is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.checkpoint import CheckpointError, load_agent
from agents.computation import choose
from agents.ppo import PPOConfig
from agents.running import latest, steps_so_far
from agents.training import TrainConfig
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.locks import InUse, locked

APART = 100_000
"""First levels of two seeds are so far apart: more than any rung has levels, so two agents of a rung share none."""


class Incomplete(InputError):
    """Rungs of the ladder are missing."""


@dataclass(frozen=True)
class Ladder:
    """Which agents there are to be, how they are trained, and where they are kept.

    Unfinished rungs have a folder each in `states`, finished agents go to `zoo`. Raises `InputError` for a number of
    levels that two seeds would share.
    """

    network: str
    levels: tuple[int, ...]
    seeds: tuple[int, ...]
    total_steps: int
    states: Path = Path("ladder")
    zoo: Path = Path("zoo/ladder")
    ppo: PPOConfig = field(default_factory=PPOConfig)
    milestones: int = 5
    checkpoint_minutes: float = 5
    env_threads: int = 1

    def __post_init__(self) -> None:
        for number in self.levels:
            if not 0 < number <= APART:
                raise InputError(f"levels names {number}; a rung has 1 to {APART} levels.")

    def rungs(self) -> list["Rung"]:
        """In the order of training: all levels with the first seed, then with the next."""
        return [self.rung(levels, seed) for seed in self.seeds for levels in self.levels]

    def rung(self, levels: int, seed: int) -> "Rung":
        name = f"{self.network}-n{levels}-s{seed}"
        run = self.states / name
        config = TrainConfig(
            network=self.network,
            options=EnvOptions(num_levels=levels, start_level=seed * APART),
            ppo=self.ppo,
            seed=seed,
            total_steps=self.total_steps,
            computation=choose(self.network, self.total_steps, precision=precision(run)),
            env_threads=self.env_threads,
            checkpoint_minutes=self.checkpoint_minutes,
            evaluation_episodes=0,
            milestones=self.milestones,
        )
        return Rung(config, run, self.zoo / f"{name}.safetensors")


@dataclass(frozen=True)
class Rung:
    """One agent of the ladder: how it is trained, where its state is kept and where the finished agent goes."""

    config: TrainConfig
    run: Path
    shipped: Path

    @property
    def name(self) -> str:
        return self.run.name

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
        for what, is_so in (
            (f"of network {agent.network.kind}", agent.network.kind == config.network),
            (f"of {agent.options}", agent.options == config.options),
            (f"of seed {agent.seed}", agent.seed == config.seed),
            (f"trained for {agent.steps:,} steps of {config.total_steps:,}", agent.steps >= config.total_steps),
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
        begun = f"{steps:,} of {self.config.total_steps:,} steps" if steps else "missing"
        return f"{begun}{', running' if self.running() else ''}"

    def running(self) -> bool:
        """Whether a process is training the rung now."""
        if not (self.run / ".lock").exists():
            return False
        try:
            with locked(self.run):
                return False
        except InUse:
            return True


def precision(run: Path) -> str:
    """The number format of the state that training goes on from, on whatever machine; `auto` without one."""
    state = latest(run)
    return "auto" if state is None else "bfloat16" if state["fixed"]["bfloat16"] else "float32"


def missing(rungs: Sequence[Rung]) -> list[Rung]:
    """The rungs still to be climbed; raises `InputError` where another agent is in the place of a finished one."""
    if misfits := [misfit for rung in rungs if (misfit := rung.misfit())]:
        raise InputError(f"In the place of a finished rung: {' '.join(misfits)} Move it away.")
    return [rung for rung in rungs if not rung.done]


def check_complete(rungs: Sequence[Rung]) -> None:
    """Raises `Incomplete` unless every rung is shipped."""
    if absent := missing(rungs):
        raise Incomplete(
            f"{len(absent)} of {len(rungs)} rungs are missing: {', '.join(rung.name for rung in absent)}; "
            f"{steps_left(absent):,} steps to go."
        )


def steps_left(rungs: Sequence[Rung]) -> int:
    """Steps that rungs are still to be trained for."""
    return sum(rung.config.total_steps - steps_so_far(rung.run) for rung in rungs if not rung.done)
