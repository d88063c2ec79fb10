"""The static part of the page: numbers on an axis, curves, sentences and settings."""

from dataclasses import replace

import pytest

from agents.checkpoint import untrained_agent
from agents.evaluation import Evaluation
from rollouts.env import EnvOptions
from scoring.metrics.statistics import Number
from scoring.record import (
    AgainstChance,
    AgentRecord,
    BankRecord,
    Diagnostics,
    Headline,
    LayerRecord,
    Orbay,
    Record,
    Spread,
    TargetValue,
)
from scoring.report.overview import HEIGHT, WIDTH, Cell, Row, cell, curves, details, rows, sentence
from scoring.rules import Cutoffs
from scoring.settings import ScoreConfig


@pytest.fixture
def record() -> Record:
    """A record made by hand, of an untrained agent on a bank of four environments."""
    options = EnvOptions()
    return Record(
        version=2,
        headline=Headline(Number(0.25, (0.1, 0.5)), Number(0.125, (0.1, 0.2)), 1.5, {"coin": 1.0, "top": 0.5}, 8, []),
        diagnostics=Diagnostics(
            lift=Number(1.0, (0.5, 2.0)),
            localisation=Number(-0.5, (-1.0, 4.0)),
            orbay2020=Orbay(AgainstChance(0.25, 0.5), AgainstChance(None, None)),
            split_half_reliability=None,
            prevalence={"objects": 0.125},
            completeness_error=Spread(0.01, 0.02, 0.5),
            factorisation=None,
            target_value=TargetValue(0.0, 1.0, None),
            frames_without_attribution=0,
            dead_features=0,
            residual_share=None,
            dilations={},
        ),
        classes={},
        layer=LayerRecord("2b", 32, 16, 4, 0.0, 21),
        agent=AgentRecord("compact", "0123456789abcdef0123", 0, 0, options, {}),
        bank=BankRecord("spread", 64, 4, 4, ["a", "b"], 7, options.unseen(), 64),
        settings=ScoreConfig(),
        cutoffs=Cutoffs(kappa=0.15, fixed=0.35, causal=0.5, sign=0.0, outline=0.5),
        versions={"renderer_sha256": "0123456789abcdef"},
    )


def with_orbay(record: Record, number: AgainstChance) -> Record:
    diagnostics = replace(record.diagnostics, orbay2020=Orbay(number, number))
    return replace(record, diagnostics=diagnostics)


def test_rows_share_an_axis_where_they_have_a_unit(record: Record) -> None:
    table = {row.name: row for row in rows([record])}
    assert list(table) == [
        "interpretable fraction",
        "graded score",
        "lift, bits",
        "localisation, bits",
        "orbay2020, and its chance level",
    ]
    assert table["graded score"] == Row("graded score", "graded", (Cell("0.12 (0.10 to 0.20)", 0.125, 0.1, 0.2),))
    # The axis of bits ends at 4, the highest limit of either row.
    assert table["lift, bits"].cells == (Cell("1.00 (0.50 to 2.00)", 0.25, 0.125, 0.5),)
    assert table["localisation, bits"].cells == (Cell("−0.50 (−1.00 to 4.00)", 0, 0, 1),)
    (orbay,) = table["orbay2020, and its chance level"].cells
    assert orbay == Cell("0.250, chance 0.500", 0.25, chance=0.5)


def test_orbay2020_without_a_number_or_a_chance_level_is_a_dash(record: Record) -> None:
    for number, wanted in (
        (AgainstChance(None, None), Cell("–")),
        (AgainstChance(0.25, None), Cell("0.250, chance –", 0.25)),
    ):
        assert rows([with_orbay(record, number)])[4].cells == (wanted,)


def test_completed_levels_stand_where_an_agent_was_measured(record: Record) -> None:
    measured = Evaluation((0, 100), 200, 0.635, (0.57, 0.7), 6.35, 200.0)
    trained = replace(record, agent=replace(record.agent, evaluation={"training": measured}))
    table = rows([record, trained])
    assert [row.name for row in table[5:]] == ["training levels completed"]
    assert table[5].cells == (Cell("not measured"), Cell("64% (57% to 70%) of 200", 0.635, 0.57, 0.7))


def test_a_sentence_counts_the_interpretable_features(record: Record) -> None:
    assert sentence("a", record) == "a: 2 of 8 nmf features of layer 2b are interpretable (coin, platform top (50%))."
    one = replace(record.headline, interpretable_fraction=Number(0.125, (0.0, 0.2)), classes={})
    assert sentence("a", replace(record, headline=one)) == "a: 1 of 8 nmf features of layer 2b is interpretable."
    none = replace(record.headline, interpretable_fraction=Number())
    assert sentence("a", replace(record, headline=none)).endswith(
        "nmf features of layer 2b. No class is seen in the 30 episodes that a number needs, so there is no headline."
    )


def test_details_say_what_the_numbers_rest_on(record: Record) -> None:
    lines = dict(details(record))
    assert lines["weights (SHA-256)"] == "0123456789abcdef"
    assert lines["trained for"] == "nothing (untrained)"
    assert lines["training levels"] == "all, hard"
    assert lines["scored on"] == "64 frames of 4 environments, seed 7, played by a, b"
    assert lines["classes seen often enough"] == "none"
    assert lines["objects cover"] == "12.5% of the frames"
    assert lines["completeness error"] == "mean 0.01, sd 0.02, max 0.5"
    assert lines["score"] == "version 2"
    assert lines["cut-offs"] == "kappa 0.15, fixed 0.35, causal 0.5, sign 0.0, dead 0.001, outline 0.5"
    assert lines["versions"] == "renderer_sha256 0123456789ab"


def test_a_record_of_version_1_names_its_own_kinds_and_cut_offs(record: Record) -> None:
    headline = replace(record.headline, classes={"surface": 1.0}, eligible=["coin", "surface"])
    first = replace(record, version=1, headline=headline, settings=ScoreConfig(version=1), cutoffs=Cutoffs())
    assert sentence("a", first) == "a: 2 of 8 nmf features of layer 2b are interpretable (edge of the ground)."
    lines = dict(details(first))
    assert lines["score"] == "version 1"
    assert lines["classes seen often enough"] == "coin, edge of the ground"
    assert lines["cut-offs"] == "kappa 0.125, fixed 0.2, causal 0.5, sign 0.5, dead 0.001"
    second = replace(record, headline=replace(headline, classes={}, eligible=["top", "agent"]))
    assert dict(details(second))["classes seen often enough"] == "platform top, the player"


def test_numbers_and_curves_of_the_overview() -> None:
    found = cell(Number(0.5, (-1.0, 3.0)), most=2)
    assert (found.value, found.low, found.high) == (0.25, 0, 1)
    assert found.text == "0.50 (−1.00 to 3.00)"
    assert cell(Number()).value is None
    agents = [untrained_agent("compact", EnvOptions(), seed) for seed in (0, 1)]
    agents[0].curve = [(0, 0.0), (200, 10.0)]
    drawn = curves(agents)
    assert drawn["lines"] == [f"40.0,{HEIGHT - 25:.1f} {WIDTH - 10:.1f},10.0", ""]
    assert drawn["steps"] == 200
