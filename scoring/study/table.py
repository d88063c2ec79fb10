"""The study as a table: one row for each agent, bank, layer, kind of features and version of the score."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from agents.checkpoint import Agent, fingerprint
from rollouts.bank import describe
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.files import atomic_path
from rollouts.game import Game
from rollouts.games import game_named
from scoring.numbers import METRICS
from scoring.pipeline import Score
from scoring.rules import version_numbered
from scoring.verdict import grade_by_objects

FEATURES = ("nmf", "channels", "rotated")
"""Kinds of features that the study compares."""

Columns = dict[str, str | int | float | bool | None]
"""Of one row, by name."""


def group_name(agent: Agent) -> str:
    """What agents must have in common to be compared: 'compact, hard, velocity painted', the game being CoinRun."""
    options = agent.options
    game = [] if options.game == EnvOptions.game else [options.rules.title]
    return ", ".join([agent.network.kind, *game, describe(options)])


def about(name: str, agent: Agent) -> Columns:
    """The columns that say which agent a row is of; completion is nan where the agent was not evaluated."""
    columns: Columns = {
        "agent": name,
        "group": group_name(agent),
        "game": agent.options.game,
        "network": agent.network.kind,
        "default_layer": agent.network.default_layer,
        "trained": agent.steps > 0,
        "levels": agent.options.num_levels,
        "start_level": agent.options.start_level,
        "seed": agent.seed,
        "steps": agent.steps,
        "weights_sha256": fingerprint(agent),
    }
    for levels in ("training", "unseen"):
        evaluation = agent.evaluation.get(levels)
        low, high = (np.nan, np.nan) if evaluation is None else evaluation.interval
        columns |= {
            f"{levels}_completed": np.nan if evaluation is None else evaluation.completed,
            f"{levels}_low": low,
            f"{levels}_high": high,
            f"{levels}_episodes": 0 if evaluation is None else evaluation.episodes,
        }
    return columns


def numbers(score: Score) -> Columns:
    """The columns that a score fills; `_low` and `_high` are limits of 95 % intervals.

    For each kind of thing in the headline: the highest of any feature in each metric that is kept so, such as `kappa_`,
    and `found_`, how many features are interpretable by it. Those are of the first factorisation, and so is the graded
    score by single objects alone. Completeness errors and `target_sd`, the target's spread over frames, are in units of
    the target.
    """
    record = score.record
    headline, diagnostics = record.headline, record.diagnostics
    columns: Columns = {
        "version": record.version,
        "layer": record.layer.name,
        "features": record.settings.features,
        "count": headline.features,
        "distinct_classes": headline.distinct_classes,
        "orbay2020": diagnostics.orbay2020.rf_box.value,
        "orbay_chance": diagnostics.orbay2020.rf_box.chance,
        "objects": diagnostics.prevalence["objects"],
        "completeness_error": diagnostics.completeness_error.max,
        "completeness_error_mean": diagnostics.completeness_error.mean,
        "target_sd": diagnostics.target_value.sd,
        "split_half_reliability": diagnostics.split_half_reliability,
        "dead_features": diagnostics.dead_features,
    }
    for name, number in (
        ("interpretable_fraction", headline.interpretable_fraction),
        ("graded_score", headline.graded_score),
        ("lift", diagnostics.lift),
        ("localisation", diagnostics.localisation),
    ):
        columns |= {name: number.value, f"{name}_low": number.low, f"{name}_high": number.high}
    dead = not score.verdict.alive.any()
    columns[by_objects(record.version)] = None if dead else grade_by_objects(score.verdict)
    fits = diagnostics.factorisation
    columns["fits_stopped"] = None if fits is None else fits.converged.count(False)
    columns["graded_score_sd"] = None if fits is None else _sd(fits.graded_score)
    columns["fraction_sd"] = None if fits is None else _sd(fits.interpretable_fraction)
    return columns | _by_kind(score)


def by_objects(version: int) -> str:
    """The column of the graded score by single objects alone; besides them version 1 has nothing but the surface."""
    return "graded_without_surface" if version == 1 else "graded_by_objects"


def _sd(values: Sequence[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return float(np.std(present)) if present else None


def _by_kind(score: Score) -> Columns:
    """None for a kind that the bank shows too rarely."""
    columns: Columns = {}
    highest = {metric.name: metric.of(score.judged) for metric in METRICS if metric.best}
    for name in score.game.named("headline"):
        c = score.game.index(name)
        judged = bool(score.eligible[c]) and bool(np.isfinite(score.verdict.kappa[:, c]).any())
        for metric, values in highest.items():
            columns[f"{metric}_{name}"] = float(np.nanmax(values[:, c])) if judged else None
        columns[f"found_{name}"] = int((score.verdict.kind == c).sum()) if judged else None
    return columns


def save(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    """Write the table as parquet, atomically."""
    with atomic_path(path) as temporary:
        pd.DataFrame(list(rows)).to_parquet(temporary, index=False)


def read(path: Path) -> pd.DataFrame:
    """A table that `save` wrote; one that names no game is of CoinRun. Raises `InputError` where there is none."""
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is no results file: {error}.") from error
    if "version" not in table:
        raise InputError(f"{path} is no results file: it names no version of the score.")
    return table if "game" in table else table.assign(game=EnvOptions.game)


def version_of(rows: pd.DataFrame) -> int:
    """The one version of the score that rows are of."""
    versions = set(rows["version"])
    assert len(versions) == 1, f"rows of versions {versions} stand together"
    return int(versions.pop())


def game_of(rows: pd.DataFrame) -> Game:
    """The game of one group's rows, with the kinds of their version of the score."""
    return version_numbered(version_of(rows)).game(game_named(str(rows["game"].iloc[0])))


def kinds_of(rows: pd.DataFrame) -> dict[str, str]:
    """The kinds of the headline by name, and the words for each; those of version 1 are shown by their names."""
    kinds = [kind for kind in game_of(rows).kinds if kind.headline]
    return {kind.name: kind.name if version_of(rows) == 1 else kind.words for kind in kinds}


def check_version(path: Path, versions: Sequence[int]) -> None:
    """Raises `InputError` unless the results at `path`, if any, are of a study's own version of the score.

    `versions` has that first, then those that stand beside it, of which there may be results, too.
    """
    if not path.exists():
        return
    try:
        found = set(pd.read_parquet(path, columns=["version"])["version"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no results file: {error}.") from error
    if not {versions[0]} <= found <= set(versions):
        same = ", or score with scoring=version1" if found == {1} else ""
        raise InputError(
            f"{path} holds scores of version {', '.join(map(str, sorted(found)))}, and this is version {versions[0]}; "
            f"move it away, or choose another output{same}."
        )
