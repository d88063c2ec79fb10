"""The static part of the report's page: numbers with intervals, training curves and settings, as the template wants them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.checkpoint import Agent
from scoring.report.table import interval

WIDTH, HEIGHT = 560, 190
"""Size of the training curves' picture in pixels."""


@dataclass(frozen=True)
class Row:
    """A line of the overview: a number of every agent, on an axis from `low` to `high`; `anchor` is its definition."""

    name: str
    anchor: str
    low: float
    high: float
    cells: tuple[dict[str, Any], ...]


def rows(summaries: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The headline and the diagnostics of each agent; `mark` is a chance level to compare with."""
    headline = [summary["headline"] for summary in summaries]
    diagnostics = [summary["diagnostics"] for summary in summaries]
    evaluations = [summary["agent"]["evaluation"] for summary in summaries]
    lifts = [number["interval"][1] for d in diagnostics for number in (d["lift"], d["localisation"]) if number["interval"]]
    top = max([1.0, *lifts])
    found = [
        Row("interpretable fraction", "fraction", 0, 1, tuple(_cell(h["interpretable_fraction"]) for h in headline)),
        Row("graded score", "graded", 0, 1, tuple(_cell(h["graded_score"]) for h in headline)),
        Row("lift, bits", "lift", 0, top, tuple(_cell(d["lift"]) for d in diagnostics)),
        Row("localisation, bits", "lift", 0, top, tuple(_cell(d["localisation"]) for d in diagnostics)),
        Row("orbay2020, and its chance level", "orbay", 0, 1, tuple(_orbay(d) for d in diagnostics)),
    ]
    for levels in ("training", "unseen"):
        if any(levels in evaluation for evaluation in evaluations):
            cells = tuple(_completion(evaluation.get(levels)) for evaluation in evaluations)
            found.append(Row(f"{levels} levels completed", "completion", 0, 1, cells))
    return found


def _cell(number: Mapping[str, Any]) -> dict[str, Any]:
    low, high = number["interval"] or (None, None)
    return {"text": interval(dict(number)), "value": number["value"], "low": low, "high": high, "mark": None}


def _orbay(diagnostics: Mapping[str, Any]) -> dict[str, Any]:
    value, chance = (diagnostics["orbay2020"]["rf_box"][key] for key in ("value", "chance"))
    text = "–" if value is None or value != value else f"{value:.3f}, chance {chance:.3f}"
    return {"text": text, "value": value, "low": None, "high": None, "mark": chance}


def _completion(found: Mapping[str, Any] | None) -> dict[str, Any]:
    if found is None:
        return {"text": "not measured", "value": None, "low": None, "high": None, "mark": None}
    low, high = found["interval"]
    text = f"{found['completed']:.0%} ({low:.0%} to {high:.0%}) of {found['episodes']}"
    return {"text": text, "value": found["completed"], "low": low, "high": high, "mark": None}


def curves(agents: Sequence[Agent]) -> dict[str, Any]:
    """The training curves as lines of an SVG of `WIDTH` x `HEIGHT`, with the steps at its right end."""
    longest = max([1, *(steps for agent in agents for steps, _ in agent.curve)])
    lines = [
        " ".join(f"{40 + (WIDTH - 50) * steps / longest:.1f},{HEIGHT - 25 - (HEIGHT - 35) * value / 10:.1f}"
                 for steps, value in agent.curve)
        for agent in agents
    ]  # fmt: skip
    ticks = [(value, HEIGHT - 25 - (HEIGHT - 35) * value / 10) for value in (0, 5, 10)]
    return {"lines": lines, "ticks": ticks, "steps": longest, "width": WIDTH, "height": HEIGHT}


def sentence(name: str, summary: Mapping[str, Any]) -> str:
    """What the score found of an agent, in a sentence."""
    headline, settings = summary["headline"], summary["settings"]
    value = headline["interpretable_fraction"]["value"]
    what = f"{headline['features']} {settings['features']} features of layer {summary['layer']['name']}"
    if value is None:
        return f"{name}: {what}; this bank is too small for a headline."
    count = round(value * headline["features"])
    classes = ", ".join(headline["classes"])
    return f"{name}: {count} of {what} {'is' if count == 1 else 'are'} interpretable{f' ({classes})' if classes else ''}."


def details(summary: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings, bank and versions behind an agent's numbers."""
    agent, bank = summary["agent"], summary["bank"]
    options = agent["options"]
    levels = f"{options['num_levels']:,} from {options['start_level']:,}" if options["num_levels"] else "all"
    versions = {name: str(version)[:12] for name, version in summary["versions"].items()}
    return [
        ("network", agent["network"]), ("weights (SHA-256)", agent["weights_sha256"][:16]),
        ("trained for", f"{agent['steps']:,} steps" if agent["steps"] else "nothing (untrained)"),
        ("training levels", f"{levels}, {options['distribution_mode']}"), ("layer", summary["layer"]["name"]),
        ("settings", _listed(summary["settings"])), ("cut-offs", _listed(summary["cutoffs"])),
        ("scored on", f"{bank['frames']} frames of {bank['environments']} environments, seed {bank['seed']}, played by "
         + ", ".join(bank["players"])),
        ("classes seen often enough", ", ".join(summary["headline"]["eligible"]) or "none"),
        ("objects cover", f"{summary['diagnostics']['prevalence']['objects']:.1%} of the frames"),
        ("completeness error", json.dumps(summary["diagnostics"]["completeness_error"])),
        ("versions", _listed(versions)),
    ]  # fmt: skip


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
