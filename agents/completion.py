"""A table of how many levels agents complete, along trainings and across them: one row an agent and kind of levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agents.checkpoint import Agent, fingerprint
from agents.computation import frame_flops
from agents.play import division, evaluate, every_level
from rollouts.documents import write_json
from rollouts.errors import InputError
from rollouts.layouts import NewLayouts, check_range_of_levels
from rollouts.progress import Track, untracked

LEVELS = ("training", "unseen")
LAYOUTS = ("all", "new")
"""Of unseen levels: all, or those with a layout that none of the agent's training levels has."""


@dataclass(frozen=True)
class Row:
    """An agent on its training levels or on unseen ones: `completed` of `episodes`, with Wilson's 95 % interval.

    `sha256` is that of the weights, `flops` what its training cost (None where the agent does not say), `seed` the
    one that drew levels and actions. Unseen levels are of `layouts`, of which `left_out` is the share that was not
    played (0 where all are).
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
    layouts: str = "all"
    left_out: float = 0

    @property
    def key(self) -> tuple[str, str, int, int, str]:
        """What was measured; two rows with one key are one measurement."""
        return self.sha256, self.levels, self.episodes, self.seed, self.layouts


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
    layouts: str = "all",
) -> list[Row]:
    """The rows of `agents`, by name, each measured and added to the table at `path` unless it has them.

    At least `episodes` are played on each kind of levels, of unseen ones those of `layouts`. Raises `InputError` for
    fewer than one, for a file that is no such table, and where `layouts` is new for an agent that was trained on more
    levels than can be looked at.
    """
    environments, share = division(episodes)
    if layouts not in LAYOUTS:
        raise InputError(f"layouts is '{layouts}'; it can be {' or '.join(LAYOUTS)}.")
    if layouts == "new":
        for name, agent in agents.items():
            check_range_of_levels(agent.options, name)
    table = {row.key: row for row in read(path)}
    wanted = []
    for name, agent in agents.items():
        for levels in LEVELS:
            of = layouts if levels == "unseen" else "all"
            key = (fingerprint(agent), levels, environments * share, seed, of)
            wanted.append(key)
            if key not in table:
                table[key] = _measure(name, agent, levels, episodes, seed, threads, track, of)
                write(path, list(table.values()))
    return [table[key] for key in wanted]


def _measure(
    name: str, agent: Agent, levels: str, episodes: int, seed: int, threads: int, track: Track, layouts: str
) -> Row:
    options = agent.options if levels == "training" else agent.options.unseen()
    environments, share = division(episodes)
    new = NewLayouts(agent.options, name, track) if layouts == "new" else None
    what = f"{levels} levels" if new is None else f"{levels} levels of new layouts"
    with track(f"{name}, {what}", environments * share) as update:
        evaluation = evaluate(agent, options, episodes, seed, threads, update, every_level if new is None else new)
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
        layouts,
        0 if new is None else new.known / new.asked,
    )
