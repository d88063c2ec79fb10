"""The static part of the report's page: numbers with intervals, training curves and settings."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.checkpoint import Agent
from scoring.report.table import classes_found, interval

WIDTH, HEIGHT = 560, 190
"""Size of the training curves' picture in pixels."""


@dataclass(frozen=True)
class Cell:
    """A number of one agent: as text, and as places from 0 to 1 along the row's axis, None where there is none."""

    text: str
    value: float | None = None
    low: float | None = None
    high: float | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Row:
    """A line of the overview: a number of every agent; `anchor` is where the page defines it."""

    name: str
    anchor: str
    cells: tuple[Cell, ...]


def rows(summaries: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The headline and the diagnostics of each agent; bits are on one axis for all, everything else from 0 to 1."""
    headline = [summary["headline"] for summary in summaries]
    diagnostics = [summary["diagnostics"] for summary in summaries]
    evaluations = [summary["agent"]["evaluation"] for summary in summaries]
    bits = [d[name]["interval"][1] for d in diagnostics for name in ("lift", "localisation") if d[name]["interval"]]
    most = max([1.0, *bits])
    found = [
        Row("interpretable fraction", "fraction", tuple(cell(h["interpretable_fraction"]) for h in headline)),
        Row("graded score", "graded", tuple(cell(h["graded_score"]) for h in headline)),
        Row("lift, bits", "lift", tuple(cell(d["lift"], most) for d in diagnostics)),
        Row("localisation, bits", "lift", tuple(cell(d["localisation"], most) for d in diagnostics)),
        Row("orbay2020, and its chance level", "orbay", tuple(_orbay(d) for d in diagnostics)),
    ]
    for levels in ("training", "unseen"):
        if any(levels in evaluation for evaluation in evaluations):
            cells = tuple(_completion(evaluation.get(levels)) for evaluation in evaluations)
            found.append(Row(f"{levels} levels completed", "completion", cells))
    return found


def cell(number: Mapping[str, Any], most: float = 1.0) -> Cell:
    """A number with its interval on an axis from 0 to `most`."""
    if number["value"] is None:
        return Cell("–")
    low, high = (min(max(limit / most, 0), 1) for limit in number["interval"])
    return Cell(interval(dict(number)), min(max(number["value"] / most, 0), 1), low, high)


def _orbay(diagnostics: Mapping[str, Any]) -> Cell:
    value, chance = (diagnostics["orbay2020"]["rf_box"][key] for key in ("value", "chance"))
    if math.isnan(value):
        return Cell("–")
    return Cell(f"{value:.3f}, chance {chance:.3f}", value, chance=chance)


def _completion(found: Mapping[str, Any] | None) -> Cell:
    if found is None:
        return Cell("not measured")
    low, high = found["interval"]
    text = f"{found['completed']:.0%} ({low:.0%} to {high:.0%}) of {found['episodes']}"
    return Cell(text, found["completed"], low, high)


def curves(agents: Sequence[Agent]) -> dict[str, Any]:
    """The training curves as lines of an SVG of `WIDTH` x `HEIGHT`, with the steps at its right end."""
    longest = max([1, *(steps for agent in agents for steps, _ in agent.curve)])
    lines = [
        " ".join(
            f"{40 + (WIDTH - 50) * steps / longest:.1f},{HEIGHT - 25 - (HEIGHT - 35) * value / 10:.1f}"
            for steps, value in agent.curve
        )
        for agent in agents
    ]
    ticks = [(value, HEIGHT - 25 - (HEIGHT - 35) * value / 10) for value in (0, 5, 10)]
    return {"lines": lines, "ticks": ticks, "steps": longest, "width": WIDTH, "height": HEIGHT}


def sentence(name: str, summary: Mapping[str, Any]) -> str:
    """What the score found of an agent, in a sentence."""
    headline, settings = summary["headline"], summary["settings"]
    value = headline["interpretable_fraction"]["value"]
    what = f"{headline['features']} {settings['features']} features of layer {summary['layer']['name']}"
    if value is None:
        return f"{name}: {what}; this bank is too small for a headline."
    count = f"{value * headline['features']:.1f}".removesuffix(".0")
    classes = f" ({classes_found(headline['classes'])})" if headline["classes"] else ""
    return f"{name}: {count} of {what} {'is' if count == '1' else 'are'} interpretable{classes}."


def details(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings, bank and versions behind an agent's numbers."""
    agent, bank = summary["agent"], summary["bank"]
    options = agent["options"]
    levels = f"{options['num_levels']:,} from {options['start_level']:,}" if options["num_levels"] else "all"
    versions = {name: str(version)[:12] for name, version in summary["versions"].items()}
    return [
        ("network", agent["network"]),
        ("weights (SHA-256)", agent["weights_sha256"][:16]),
        ("trained for", f"{agent['steps']:,} steps" if agent["steps"] else "nothing (untrained)"),
        ("training levels", f"{levels}, {options['distribution_mode']}"),
        ("layer", summary["layer"]["name"]),
        ("settings", _listed(summary["settings"])),
        ("cut-offs", _listed(summary["cutoffs"])),
        (
            "scored on",
            f"{bank['frames']} frames of {bank['environments']} environments, seed {bank['seed']}, played by "
            + ", ".join(bank["players"]),
        ),
        ("classes seen often enough", ", ".join(summary["headline"]["eligible"]) or "none"),
        ("objects cover", f"{summary['diagnostics']['prevalence']['objects']:.1%} of the frames"),
        ("completeness error", json.dumps(summary["diagnostics"]["completeness_error"])),
        ("versions", _listed(versions)),
    ]


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
