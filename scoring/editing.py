"""Which features an agent needs: taken out of what it reads, one after another, and what it then fails of.

Beside each feature its direction shuffled is taken out, as a control (Hilton et al. 2020; `docs/method.md`)."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError
from rich.table import Table

from agents.banks import BankSettings, obtain
from agents.checkpoint import Agent, fingerprint
from agents.editing import reader, without_feature
from agents.failures import Failures, evaluate_causes
from agents.play import division
from rollouts.env import renderer_sha256
from rollouts.errors import InputError
from rollouts.files import write_atomically
from rollouts.progress import Track, untracked
from scoring.draw.words import with_interval
from scoring.explain.base import Maps
from scoring.explain.methods import attribute
from scoring.features.kinds import kind_named, shown_kinds
from scoring.metrics.statistics import Number
from scoring.naming import score_folder
from scoring.pipeline import check
from scoring.settings import ScoreConfig

EPISODES = 500
UNEDITED = "unedited"


@dataclass(frozen=True)
class EditConfig:
    """The features that `score` and `bank` give, which one of them is edited out (None: each), and episodes to play.

    Raises `InputError` for features that nobody should edit.
    """

    score: ScoreConfig
    bank: BankSettings
    feature: int | None = None
    episodes: int = EPISODES

    def __post_init__(self) -> None:
        if self.score.features not in shown_kinds():
            raise InputError(f"features is '{self.score.features}'; {' or '.join(shown_kinds())} can be edited out.")


@dataclass(frozen=True)
class EditSettings:
    """Everything that the result depends on but the agent, however it was written."""

    layer: str
    features: str
    target: str
    attribution: str
    steps: int
    components: int
    seed: int
    edited_out: list[int]
    episodes: int
    frames: int
    pool_frames: int
    bank: str
    levels: str


@dataclass(frozen=True)
class EditedAgent:
    name: str
    network: str
    weights_sha256: str


@dataclass(frozen=True)
class EditRequest:
    """What is edited out of whom, the weights that are edited, and who draws the frames it plays on."""

    settings: EditSettings
    agent: EditedAgent
    edited_weights: str
    renderer_sha256: str

    @property
    def rows(self) -> int:
        """Players in all: the agent, and two edited ones for each feature."""
        return 1 + 2 * len(self.settings.edited_out)


_REQUEST = TypeAdapter(EditRequest)


def selected(agent: Agent, config: EditConfig) -> list[int]:
    """The numbers of the features to edit out; raises `InputError` for one that is not there, or cannot be edited."""
    layer, geometry = check(agent, config.score)
    reader(agent.network, layer)
    division(config.episodes)
    count = kind_named(config.score.features).count(geometry.channels, config.score)
    if config.feature is None:
        return list(range(count))
    if not 0 <= config.feature < count:
        raise InputError(f"feature is {config.feature}; there are {count} features, 0 to {count - 1}, or all.")
    return [config.feature]


def edit_folder(name: str, agent: Agent, config: EditConfig) -> str:
    """The features as score.py names them, which of them, and the episodes unless 500."""
    numbers = selected(agent, config)
    feature = "all" if config.feature is None else str(numbers[0])
    layer, _ = check(agent, config.score)
    folder = score_folder(name, layer, config.bank, config.score) + f"-feature{feature}"
    return folder + ("" if config.episodes == EPISODES else f"-episodes{config.episodes}")


def requested(name: str, agent: Agent, config: EditConfig) -> EditRequest:
    """What is asked for; raises `InputError` as `selected` does."""
    numbers = selected(agent, config)
    layer, _ = check(agent, config.score)
    score, bank = config.score, config.bank
    settings = EditSettings(
        layer=layer,
        features=score.features,
        target=score.target,
        attribution=score.attribution,
        steps=score.steps,
        components=score.components,
        seed=score.seed,
        edited_out=numbers,
        episodes=config.episodes,
        frames=bank.frames,
        pool_frames=bank.pool_frames,
        bank=bank.bank,
        levels=bank.levels,
    )
    edited = EditedAgent(name, agent.network.kind, fingerprint(agent))
    return EditRequest(settings, edited, reader(agent.network, layer), renderer_sha256())


def directions(name: str, agent: Agent, config: EditConfig, track: Track = untracked) -> Maps:
    """The features' directions (K, C), those that score.py finds with these settings.

    Raises `BankError` for a bank that the agent cannot see as it sees its own frames, or without a pool to fit on.
    """
    score = config.score
    layer, geometry = check(agent, score)
    kind = kind_named(score.features)
    if not kind.fitted:
        return kind.fit(geometry.channels, None, score).directions
    bank = obtain(config.bank, [(name, agent)], track)
    bank.check_options(agent.options, "the agent")
    bank.check_pool()
    with track("Attributing", len(bank.pool)) as update:
        pool = attribute(agent.network, layer, bank.pool, score.target, score.attribution, score.steps, update)
    return kind.fit(geometry.channels, pool.maps, score).directions


def shuffled(direction: Maps, seed: int) -> Maps:
    """The control of an edit: the same entries at other channels, in a cyclic order in which none stays where it was.

    It takes as much out of the weights on average, and nothing in particular.
    """
    order = np.random.default_rng(seed).permutation(len(direction))
    moved = np.empty_like(direction)
    moved[order] = direction[np.roll(order, 1)]
    return moved


def edit(
    agent: Agent, config: EditConfig, request: EditRequest, path: Path, track: Track = untracked
) -> dict[str, Failures]:
    """How the agent's episodes on unseen levels end as it is, without each feature, and without each one shuffled.

    Every player's result is written to `path` as it comes; what an earlier run has played is not played again.
    """
    rows = read_played(path, request)
    basis, numbers = directions(request.agent.name, agent, config, track), request.settings.edited_out
    edits = {f"without {k}": basis[k] for k in numbers} | {f"shuffled {k}": shuffled(basis[k], k) for k in numbers}
    layer, environments = request.settings.layer, division(config.episodes)
    players = {UNEDITED: agent} | {row: without_feature(agent, layer, edits[row]) for row in edits}
    for row, player in players.items():
        if row in rows:
            continue
        with track(f"Playing {row}", environments[0] * environments[1]) as update:
            rows[row] = evaluate_causes(
                player, agent.options.unseen(), config.episodes, config.score.seed, config.bank.env_threads, update
            )
        _write(path, request, edits, rows)
    return rows


def _write(path: Path, request: EditRequest, edits: Mapping[str, Maps], rows: Mapping[str, Failures]) -> None:
    document = {
        **asdict(request),
        "directions": {row: direction.tolist() for row, direction in edits.items()},
        "played": {row: failures.to_json() for row, failures in rows.items()},
    }
    write_atomically(path, json.dumps(document, indent=2) + "\n")


def read_played(path: Path, request: EditRequest) -> dict[str, Failures]:
    """What an earlier run with the same settings, agent and renderer has played, which a stopped one goes on from."""
    if not path.exists():
        return {}
    document = json.loads(path.read_text())
    try:
        if _REQUEST.validate_python(document) != request:
            return {}
    except ValidationError:
        return {}
    return {row: Failures.from_json(result) for row, result in document["played"].items()}


def failures_table(rows: Mapping[str, Failures]) -> Table:
    """How episodes end, a row for each agent, in percent with 95 % intervals; `unknown` only where it occurs."""
    names = next(iter(rows.values())).counts
    occurring = [name for name in names if name != "unknown" or any(row.counts[name] for row in rows.values())]
    table = Table("% of episodes")
    for name in occurring:
        table.add_column(name, justify="right")
    for row, failures in rows.items():
        table.add_row(row, *(with_interval(_percent(failures, name), ".1f", between="–") for name in occurring))
    return table


def _percent(failures: Failures, outcome: str) -> Number:
    low, high = failures.interval(outcome)
    return Number(100 * failures.share(outcome), (100 * low, 100 * high))
