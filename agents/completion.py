"""A table of how many levels agents complete, along trainings and across them: one row an agent and kind of levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agents.checkpoint import Agent, fingerprint
from agents.computation import frame_flops
from agents.play import division, evaluate
from rollouts.documents import write_json
from rollouts.errors import InputError
from rollouts.progress import Track, untracked

LEVELS = ("training", "unseen")


@dataclass(frozen=True)
class Row:
    """An agent on its training levels or on unseen ones: `completed` of `episodes`, with Wilson's 95 % interval.

    `sha256` is that of the weights, `flops` what its training cost (None where the agent does not say), `seed` the
    one that drew levels and actions.
    """

    agent: str
    sha256: str
    network: str
    num_levels: int
    steps: int
    flops: float | None
    levels: str
    episodes: int
    seed: int
    completed: float
    low: float
    high: float
    mean_length: float

    @property
    def key(self) -> tuple[str, str, int, int]:
        """What was measured; two rows with one key are one measurement."""
        return self.sha256, self.levels, self.episodes, self.seed


ROWS = TypeAdapter(list[Row])


def training_flops(agent: Agent) -> float | None:
    """Floating-point operations of an agent's training, worked out from its steps where it was PPO and does not say."""
    if "flops" in agent.training:
        return float(agent.training["flops"])
    if "ppo" not in agent.training:
        return None
    acting, learning = frame_flops(agent.network)
    return float(agent.steps * (acting + agent.training["ppo"]["epochs"] * learning))


def read(path: Path) -> list[Row]:
    """The table at `path`, empty where there is none; raises `InputError` for a file that is no such table."""
    if not path.exists():
        return []
    try:
        return ROWS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(f"{path} is not a table of evaluations: {error.errors()[0]['msg']}.") from error


def write(path: Path, rows: Sequence[Row]) -> None:
    """Write the table atomically."""
    write_json(path, ROWS.dump_python(list(rows), mode="json"), indent=1)


def complete(
    path: Path,
    agents: Mapping[str, Agent],
    episodes: int,
    seed: int,
    threads: int = 1,
    track: Track = untracked,
) -> list[Row]:
    """The rows of `agents`, by name, each measured and added to the table at `path` unless it has them.

    At least `episodes` are played on each kind of levels. Raises `InputError` for fewer than one, and for a file that
    is no such table.
    """
    environments, share = division(episodes)
    table = {row.key: row for row in read(path)}
    wanted = []
    for name, agent in agents.items():
        for levels in LEVELS:
            key = (fingerprint(agent), levels, environments * share, seed)
            wanted.append(key)
            if key not in table:
                table[key] = _measure(name, agent, levels, episodes, seed, threads, track)
                write(path, list(table.values()))
    return [table[key] for key in wanted]


def _measure(
    name: str, agent: Agent, levels: str, episodes: int, seed: int, threads: int, track: Track = untracked
) -> Row:
    options = agent.options if levels == "training" else agent.options.unseen()
    environments, share = division(episodes)
    with track(f"{name}, {levels} levels", environments * share) as update:
        evaluation = evaluate(agent, options, episodes, seed, threads, update)
    low, high = evaluation.interval
    return Row(
        name,
        fingerprint(agent),
        agent.network.kind,
        agent.options.num_levels,
        agent.steps,
        training_flops(agent),
        levels,
        evaluation.episodes,
        seed,
        evaluation.completed,
        low,
        high,
        evaluation.mean_length,
    )
