"""Which features an agent needs: taken out of what it reads, one after another, and what it then fails of.

Beside each feature its direction shuffled is taken out, as a control (Hilton et al. 2020; `docs/method.md`)."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from agents.banks import obtain
from agents.checkpoint import Agent
from agents.editing import without_feature
from agents.failures import Failures, evaluate_causes
from agents.play import division
from rollouts.bank import FrameBank
from rollouts.documents import DocumentError, read_json, write_json
from rollouts.progress import Track, untracked
from scoring.editing.request import REQUEST, EditConfig, EditRequest
from scoring.explain.base import Maps
from scoring.explain.methods import attribute
from scoring.features.kinds import kind_named
from scoring.pipeline import check
from scoring.run import check_attribution

UNEDITED = "unedited"


def bank_to_fit_on(name: str, agent: Agent, config: EditConfig, track: Track = untracked) -> FrameBank | None:
    """The bank that features are fitted on, None for those that are not.

    Raises `BankError` for a bank that the agent cannot see as it sees its own frames, or without a pool to fit on.
    """
    if not kind_named(config.score.features).fitted:
        return None
    bank = obtain(config.bank, [(name, agent)], track)
    bank.check_options(agent.options, "the agent")
    bank.check_pool()
    check_attribution(name, agent, bank, config.score, alive=True)
    return bank


def directions(agent: Agent, config: EditConfig, bank: FrameBank | None, track: Track = untracked) -> Maps:
    """The features' directions (K, C), those that score.py finds with these settings on a bank, if they need one."""
    score = config.score
    layer, geometry = check(agent, score)
    kind = kind_named(score.features)
    if bank is None:
        return kind.fit(geometry.channels, None, score).directions
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
    agent: Agent,
    config: EditConfig,
    bank: FrameBank | None,
    request: EditRequest,
    path: Path,
    track: Track = untracked,
) -> dict[str, Failures]:
    """How the agent's episodes on unseen levels end as it is, without each feature, and without each one shuffled.

    Every player's result is written to `path` as it comes; what an earlier run has played is not played again.
    """
    rows = read_played(path, request)
    basis, numbers = directions(agent, config, bank, track), request.settings.edited_out
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
    write_json(path, document)


def read_played(path: Path, request: EditRequest) -> dict[str, Failures]:
    """What an earlier run of the same request has played, which a stopped one goes on from; nothing if damaged."""
    try:
        document = read_json(path)
        if REQUEST.validate_python(document) != request:
            return {}
        return {row: Failures.from_json(result) for row, result in document["played"].items()}
    except (DocumentError, ValidationError, AttributeError, KeyError, TypeError, ValueError):
        return {}
