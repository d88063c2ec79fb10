"""Making a rating study: agents scored on a bank that they share, and pictures of their features."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from agents.banks import FILE, FOLDER, BankSettings, folder_name, obtain
from agents.checkpoint import Agent, fingerprint
from agents.naming import agent_files, named_agents
from rollouts.bank import FrameBank, content_sha256
from rollouts.errors import InputError
from rollouts.locks import locked
from rollouts.progress import Track, untracked
from scoring.evidence import Evidence
from scoring.explain.base import Maps
from scoring.identity import identity
from scoring.naming import score_folder
from scoring.output import FEATURES, RECORD, finished, write_score
from scoring.pipeline import check
from scoring.rating.pictures import feature_maps, feature_sheets, frames_to_attribute
from scoring.rating.settings import RatingConfig
from scoring.rating.study import RatedAgent, RatedFeature, make_study, save
from scoring.record import Record, read_record
from scoring.run import check_attribution, gather_tracked, score_tracked
from scoring.settings import ScoreConfig

SCORES = Path("runs/score")
"""Where score.py keeps what it has scored."""


@dataclass(frozen=True)
class Candidate:
    """An agent whose features are to be rated; `source` is its checkpoint, or `untrained:NETWORK:SEED`."""

    source: str
    name: str
    agent: Agent

    @property
    def checkpoint(self) -> str:
        """Where its weights lie; empty for an untrained one."""
        return "" if self.source.startswith("untrained:") else str(Path(self.source).resolve())


def candidates(specs: Sequence[str]) -> list[Candidate]:
    """The agents that a command line names, if any; raises `InputError` for two with the same weights."""
    sources = [source for spec in specs for source in agent_files(spec)]
    named = named_agents(sources) if sources else []
    chosen = [Candidate(source, name, agent) for source, (name, agent) in zip(sources, named, strict=True)]
    if len({fingerprint(candidate.agent) for candidate in chosen}) < len(chosen):
        raise InputError("agents names the same agent twice.")
    return chosen


def make(
    folder: Path,
    rated: Sequence[Candidate],
    config: RatingConfig,
    env_threads: int = 1,
    track: Track = untracked,
    waiting: Callable[[str], None] = lambda sentence: None,
) -> None:
    """Score the agents, draw what raters see, and write the study. `track` is told nothing that unblinds.

    An agent that has been scored on this bank with these settings is not scored again. `waiting` is told when another
    process plays the same bank.
    """
    settings = config.score
    geometries = [check(candidate.agent, settings)[1] for candidate in rated]
    bank, filed = _shared_bank(rated, config.banking(env_threads), track, waiting)

    for candidate in rated:
        check_attribution(candidate.name, candidate.agent, bank, settings, alive=True)

    @cache
    def evidence() -> Evidence:
        return gather_tracked(bank, settings, track)

    agents: list[RatedAgent] = []
    features: list[RatedFeature] = []
    sheets: list[dict[str, bytes]] = []
    for index, (candidate, geometry) in enumerate(zip(rated, geometries, strict=True)):
        record, table = scored(candidate, bank, filed, evidence, settings, track)
        with track(f"Drawing {candidate.name}", frames_to_attribute(bank, settings)) as update:
            maps, activations = feature_maps(candidate.agent, bank, settings, update)
        check_features(candidate.name, maps, table)
        features += judged(table, index)
        for k in range(maps.shape[1]):
            seed = [settings.seed, index, k]
            sheets.append(feature_sheets(maps[:, k], activations[:, k], bank, geometry, seed))
        agents.append(
            RatedAgent(
                candidate.name,
                candidate.checkpoint,
                fingerprint(candidate.agent),
                record.headline.interpretable_fraction.value,
                record.headline.graded_score.value,
            )
        )
    study, order = make_study(bank.options.rules, config, agents, features, content_sha256(bank))
    save(folder, study, (sheets[i] for i in order))


def _shared_bank(
    rated: Sequence[Candidate], settings: BankSettings, track: Track, waiting: Callable[[str], None]
) -> tuple[FrameBank, BankSettings]:
    """The bank, played by all agents in equal parts where it is no file, and the settings that mean its file."""
    players = [(candidate.name, candidate.agent) for candidate in rated]
    bank = obtain(settings, players, track, waiting)
    for name, agent in players:
        bank.check_options(agent.options, name)
    if not settings.played:
        return bank, settings
    return bank, replace(settings, bank=str(FOLDER / folder_name(settings, [name for name, _ in players]) / FILE))


def scored(
    candidate: Candidate,
    bank: FrameBank,
    filed: BankSettings,
    evidence: Callable[[], Evidence],
    config: ScoreConfig,
    track: Track = untracked,
) -> tuple[Record, pd.DataFrame]:
    """The agent's finished score on a bank `filed` as a file, made first if score.py has not: record and features."""
    name, agent = candidate.name, candidate.agent
    layer, _ = check(agent, config)
    with locked(SCORES / score_folder(name, layer, filed, config)) as run:
        if not finished(run, config, identity(agent, bank)):
            write_score(run, name, score_tracked(name, agent, bank, evidence(), config, track), bank)
        return read_record(run / RECORD), pd.read_parquet(run / FEATURES)


def judged(table: pd.DataFrame, agent: int) -> Iterator[RatedFeature]:
    """What a score's table says of each feature.

    Its label is the kind of thing it is interpreted as, or the eligible one of the headline with the highest κ.
    """
    for number, rows in table.groupby("feature"):
        own = rows[rows["is_its_class"]]
        near = rows[rows["eligible"] & rows["headline_class"] & rows["kappa"].notna()].sort_values("kappa")
        best = own if len(own) else near.tail(1)
        label = str(best["class"].iloc[0]) if len(best) else "nothing"
        yield RatedFeature(
            agent, int(number), label, bool(rows["interpretable"].iloc[0]), float(rows["graded"].iloc[0])
        )


def check_features(name: str, maps: Maps, table: pd.DataFrame) -> None:
    """Raises `InputError` unless the features (N, K, H, W) are those of the score, by their shares of attribution."""
    share = np.abs(maps).sum(axis=(0, 2, 3), dtype=np.float64)
    if not np.allclose(share / share.sum(), table.groupby("feature")["share"].first(), atol=0.005):
        raise InputError(
            f"The features of {name} come out otherwise than when it was scored, by another version or machine; "
            "remove its folder under runs/score and score it again."
        )
