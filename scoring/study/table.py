"""The study as a table: one row for each agent, bank, layer and kind of features."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from agents.checkpoint import Agent, fingerprint
from rollouts.bank import describe
from rollouts.errors import InputError
from rollouts.files import atomic_path
from scoring.evidence import NAMES, SCORED
from scoring.pipeline import VERSION, Score
from scoring.verdict import sprite_grade


def group_name(agent: Agent) -> str:
    """What agents must have in common to be compared: 'compact, hard, velocity painted'."""
    return f"{agent.network.network}, {describe(agent.options)}"


def about(name: str, agent: Agent) -> dict[str, Any]:
    """The columns that say which agent a row is of; completion is nan where the agent was not evaluated."""
    found: dict[str, Any] = {
        "agent": name,
        "group": group_name(agent),
        "network": agent.network.network,
        "default_layer": agent.network.default_layer,
        "trained": agent.steps > 0,
        "levels": agent.options.num_levels,
        "start_level": agent.options.start_level,
        "seed": agent.seed,
        "steps": agent.steps,
        "weights_sha256": fingerprint(agent),
    }
    for kind in ("training", "unseen"):
        evaluation = agent.evaluation.get(kind, {})
        low, high = evaluation.get("interval", (np.nan, np.nan))
        found |= {
            f"{kind}_completed": evaluation.get("completed", np.nan),
            f"{kind}_low": low,
            f"{kind}_high": high,
            f"{kind}_episodes": evaluation.get("episodes", 0),
        }
    return found


def numbers(score: Score) -> dict[str, Any]:
    """The columns that a score fills. For each class: the highest kappa of any feature, and how many are found for it.

    Those two are of the first factorisation, and so is the graded score without surface; `_low` and `_high` are limits
    of 95 % intervals. Completeness errors and `target_sd`, the target's spread over frames, are in units of the target.
    """
    summary, verdict = score.summary, score.verdict
    headline, diagnostics = summary["headline"], summary["diagnostics"]
    found: dict[str, Any] = {
        "version": summary["version"],
        "layer": summary["layer"]["name"],
        "features": summary["settings"]["features"],
        "count": headline["features"],
        "distinct_classes": headline["distinct_classes"],
        "orbay2020": diagnostics["orbay2020"]["rf_box"]["value"],
        "orbay_chance": diagnostics["orbay2020"]["rf_box"]["chance"],
        "objects": diagnostics["prevalence"]["objects"],
        "completeness_error": diagnostics["completeness_error"]["max"],
        "completeness_error_mean": diagnostics["completeness_error"]["mean"],
        "target_sd": diagnostics["target_value"]["sd"],
        "split_half_reliability": diagnostics["split_half_reliability"],
        "dead_features": diagnostics["dead_features"],
    }
    each = {
        "interpretable_fraction": headline["interpretable_fraction"],
        "graded_score": headline["graded_score"],
        "lift": diagnostics["lift"],
        "localisation": diagnostics["localisation"],
    }
    for name, number in each.items():
        low, high = number["interval"] or (None, None)
        found |= {name: number["value"], f"{name}_low": low, f"{name}_high": high}
    found["graded_without_surface"] = sprite_grade(verdict, score.eligible)
    factorised = diagnostics["factorisation"]
    for name, column in (("graded_score", "graded_score_sd"), ("interpretable_fraction", "fraction_sd")):
        values = [value for value in (factorised or {name: []})[name] if value is not None]
        found[column] = float(np.std(values)) if values else None
    for name in SCORED:
        c = NAMES.index(name)
        kappa = verdict.kappa[:, c][np.isfinite(verdict.kappa[:, c])]
        eligible = bool(score.eligible[c]) and kappa.size
        found[f"kappa_{name}"] = float(kappa.max()) if eligible else None
        found[f"found_{name}"] = int((verdict.which == c).sum()) if eligible else None
    return found


def save(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write the table as parquet, atomically."""
    with atomic_path(path) as temporary:
        pd.DataFrame(list(rows)).to_parquet(temporary, index=False)


def check_version(path: Path) -> None:
    """Raises `InputError` when the results at `path`, if any, are not of this version of the score."""
    if not path.exists():
        return
    try:
        versions = set(pd.read_parquet(path, columns=["version"])["version"])
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} is no results file: {error}.") from error
    if versions - {VERSION}:
        raise InputError(
            f"{path} holds scores of version {', '.join(map(str, sorted(versions)))}, and this is version {VERSION}; "
            "move it away, or choose another output."
        )


def published() -> dict[str, Any]:
    """What people measured (Hilton et al. 2020), as shares: `levels` (7,), and (agents, 7) or (ratings, 7) of the rest.

    `training_completed`, `unseen_completed` of two agents a rung; `interpretable` of those two by two raters.
    """
    kept = json.loads(files("scoring.study").joinpath("published.json").read_text())
    ratings = [run for rater in kept["interpretable"].values() for run in rater.values()]
    return {
        "source": kept["source"],
        "levels": np.array(kept["levels"]),
        "training_completed": np.array(list(kept["training_completed"].values())) / 100,
        "unseen_completed": np.array(list(kept["unseen_completed"].values())) / 100,
        "interpretable": np.array(ratings) / 100,
    }
