"""The static part of the report's page: numbers with intervals, training curves and settings."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from agents.checkpoint import Agent
from agents.evaluation import Evaluation
from scoring.draw.words import NONE, percent_with_interval, plain, with_interval
from scoring.metrics.statistics import Number
from scoring.record import AgainstChance, Record, why_no_headline
from scoring.tables import classes_words, game_of, stopped_words

NOT_KNOWN = "one that is not known"
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


def rows(records: Sequence[Record]) -> list[Row]:
    """The headline and the diagnostics of each agent; bits are on one axis for all, everything else from 0 to 1."""
    headlines = [record.headline for record in records]
    diagnostics = [record.diagnostics for record in records]
    highest = [number.high for own in diagnostics for number in (own.lift, own.localisation)]
    most = max([1.0, *(high for high in highest if high is not None)])
    table = [
        Row("interpretable fraction", "fraction", tuple(cell(own.interpretable_fraction) for own in headlines)),
        Row("graded score", "graded", tuple(cell(own.graded_score) for own in headlines)),
        Row("lift, bits", "lift", tuple(cell(own.lift, most) for own in diagnostics)),
        Row("localisation, bits", "lift", tuple(cell(own.localisation, most) for own in diagnostics)),
        Row("orbay2020, and its chance level", "orbay", tuple(_orbay(own.orbay2020.rf_box) for own in diagnostics)),
    ]
    evaluations = [record.agent.evaluation for record in records]
    for levels in ("training", "unseen"):
        if any(levels in evaluation for evaluation in evaluations):
            cells = tuple(_completion(evaluation.get(levels)) for evaluation in evaluations)
            table.append(Row(f"{levels} levels completed", "completion", cells))
    return table


def cell(number: Number, most: float = 1.0) -> Cell:
    """A number with its interval on an axis from 0 to `most`."""
    if number.value is None or number.interval is None:
        return Cell(NONE)
    low, high = (_within(limit / most) for limit in number.interval)
    return Cell(with_interval(number), _within(number.value / most), low, high)


def _within(place: float) -> float:
    return min(max(place, 0), 1)


def _orbay(number: AgainstChance) -> Cell:
    if number.value is None:
        return Cell(NONE)
    return Cell(f"{plain(number.value)}, chance {plain(number.chance)}", number.value, chance=number.chance)


def _completion(evaluation: Evaluation | None) -> Cell:
    if evaluation is None:
        return Cell("not measured")
    text = f"{percent_with_interval(evaluation.completed, evaluation.interval, 0)} of {evaluation.episodes}"
    return Cell(text, evaluation.completed, *evaluation.interval)


def curves(agents: Sequence[Agent]) -> dict[str, Any]:
    """The training curves as lines of an SVG of `WIDTH` x `HEIGHT`, with the steps at its right end.

    The agents play one game; its return for a completed level, `full`, is at the top.
    """
    longest = max([1, *(steps for agent in agents for steps, _ in agent.curve)])
    full = agents[0].options.rules.completed_return

    def height(value: float) -> float:
        return HEIGHT - 25 - (HEIGHT - 35) * value / full

    lines = [
        " ".join(f"{40 + (WIDTH - 50) * steps / longest:.1f},{height(value):.1f}" for steps, value in agent.curve)
        for agent in agents
    ]
    ticks = [(f"{value:g}", height(value)) for value in (0, full / 2, full)]
    return {"lines": lines, "ticks": ticks, "full": f"{full:g}", "steps": longest, "width": WIDTH, "height": HEIGHT}


def sentence(name: str, record: Record) -> str:
    """What the score found of an agent, in a sentence."""
    headline = record.headline
    value = headline.interpretable_fraction.value
    what = f"{headline.features} {record.settings.features} features of layer {record.layer.name}"
    if value is None:
        return f"{name}: {what}. {why_no_headline(record) or 'This bank is too small for a headline.'}"
    count = f"{value * headline.features:.1f}".removesuffix(".0")
    classes = f" ({classes_words(headline.classes, game_of(record))})" if headline.classes else ""
    return f"{name}: {count} of {what} {'is' if count == '1' else 'are'} interpretable{classes}."


def details(record: Record) -> list[tuple[str, str]]:
    """Settings, bank and versions behind an agent's numbers."""
    agent, bank, options = record.agent, record.bank, record.agent.options
    levels = f"{options.num_levels:,} from {options.start_level:,}" if options.num_levels else "all"
    versions = {name: version[:12] for name, version in record.versions.items()}
    eligible = [game_of(record).kind(name).words for name in record.headline.eligible]
    asked = {name: value for name, value in asdict(record.cutoffs).items() if value is not None}
    first = record.diagnostics.version_1
    beside = [] if first is None else [("version 1 of the score, not to be compared", _listed(asdict(first)))]
    return [
        ("score", f"version {record.version}"),
        *beside,
        ("network", agent.network),
        ("weights (SHA-256)", agent.weights_sha256[:16]),
        ("trained for", f"{agent.steps:,} steps" if agent.steps else "nothing (untrained)"),
        ("training levels", f"{levels}, {options.distribution_mode}"),
        ("layer", record.layer.name),
        ("settings", _listed(asdict(record.settings))),
        ("cut-offs", _listed(asked)),
        (
            "scored on",
            f"{bank.frames} frames of {bank.environments} environments, seed {bank.seed}, "
            f"played by {', '.join(bank.players)}",
        ),
        ("bank (SHA-256)", bank.sha256[:16] if bank.sha256 else "not known"),
        ("number formats", f"played in {bank.precision or NOT_KNOWN}, explained in {record.precision or NOT_KNOWN}"),
        ("factorisations stopped at the most iterations", stopped_words(record)),
        ("classes seen often enough", ", ".join(eligible) or "none"),
        ("objects cover", f"{record.diagnostics.prevalence['objects']:.1%} of the frames"),
        ("completeness error", _listed(asdict(record.diagnostics.completeness_error))),
        ("versions", _listed(versions)),
    ]


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
