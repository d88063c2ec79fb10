"""Scoring every agent of a study, each on a bank that all of its group played and on one of its own."""

import hashlib
from collections.abc import Mapping, Sequence

from agents.banks import BankSettings, Named, load_or_play
from agents.checkpoint import Agent, fingerprint
from rollouts.progress import Track, Update, untracked
from scoring.features.kinds import kind_named
from scoring.study import table
from scoring.study.members import slug
from scoring.study.milestones import completes
from scoring.study.rows import Study, StudyBank, rows_of
from scoring.study.table import FEATURES, Columns

COMMON = (BankSettings.levels, BankSettings.precision)
"""Not in a bank's name."""
ALONG = tuple(name for name in FEATURES if not kind_named(name).control)
"""Kinds of features that checkpoints along a training are scored with."""


def bank_of(study: Study, name: str, kind: str, players: Sequence[Named], track: Track = untracked) -> StudyBank:
    """The bank that the players share, played once and found again."""
    key = hashlib.sha256("".join(f"{fingerprint(agent)}{agent.options}" for _, agent in players).encode())
    plan = study.bank.plan
    settings = f"{plan.kind}-{plan.frames}+{plan.pool_frames}-s{study.bank.seed}"
    settings += "".join(f"-{word}" for word in (study.bank.levels, study.bank.precision) if word not in COMMON)
    path = study.output / "banks" / f"{name}-{key.hexdigest()[:12]}-{settings}.zip"
    return StudyBank(kind, load_or_play(path, study.bank, players, track))


def rows_of_group(
    study: Study,
    members: Mapping[str, Agent],
    checkpoints: Mapping[str, Sequence[Agent]],
    progress: Update,
    track: Track = untracked,
) -> tuple[list[Columns], list[Columns]]:
    """All rows of agents that can be compared, and the rows along their trainings."""
    rows, along = [], []
    trained = [(name, agent) for name, agent in members.items() if agent.steps]
    shared = bank_of(study, f"shared-{slug(table.group_name(trained[0][1]))}", "shared", trained, track)
    for name, agent in members.items():
        on_shared = list(rows_of(study, name, agent, shared))
        progress(1, f"{name} on the shared bank")
        own = bank_of(study, name, "own", [(name, agent)], track)
        rows += [*on_shared, *rows_of(study, name, agent, own)]
        progress(1, f"{name} on its own bank")
        layer = agent.network.default_layer
        for checkpoint in checkpoints.get(name, []):
            scored = rows_of(study, f"{name}-{checkpoint.steps}", checkpoint, shared, [layer], ALONG)
            along += [row | {"agent": name, "completes": completes(checkpoint)} for row in scored]
            progress(1, f"{name} after {checkpoint.steps:,} steps")
        if agent.steps:
            finished = [row for row in on_shared if row["layer"] == layer and row["features"] in ALONG]
            along += [row | {"completes": completes(agent)} for row in finished]
    return rows, along if any(checkpoints[name] for name, _ in trained) else []


def score_all(
    study: Study,
    groups: Mapping[str, Mapping[str, Agent]],
    checkpoints: Mapping[str, Sequence[Agent]],
    track: Track = untracked,
) -> None:
    """Write the study's table, and that of scores along trainings where some checkpoints were kept."""
    rows: list[Columns] = []
    along: list[Columns] = []
    with track("Scoring", 2 * sum(map(len, groups.values())) + sum(map(len, checkpoints.values()))) as update:
        for members in groups.values():
            own, own_along = rows_of_group(study, members, checkpoints, update, track)
            rows, along = rows + own, along + own_along
    table.save(study.table, rows)
    if along:
        table.save(study.milestones, along)
