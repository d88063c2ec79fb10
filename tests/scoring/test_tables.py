"""What people read of a score: words for kinds, and the numbers that its version tells of each."""

from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from agents.checkpoint import untrained_agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.game import Kind
from scoring import features_figure, tables
from scoring.evidence import Evidence
from scoring.features import components, nmf
from scoring.numbers import METRICS
from scoring.pipeline import Score, score_subject
from scoring.record import Record
from scoring.report.overview import details
from scoring.rules import VERSIONS
from scoring.settings import ScoreConfig
from scoring.subject import explain
from scoring.tables import (
    COMPARED,
    ONLY_OF,
    classes_words,
    comparison,
    feature_frame,
    features_table,
    is_told,
    label,
    stopped_words,
)

K = 3
"""A feature."""


@pytest.fixture(scope="module")
def scores(bank: FrameBank, evidence: Evidence) -> dict[int, Score]:
    """Of one untrained network, by the score's version."""
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    subject = explain(agent.network, "2b", bank, evidence, steps=2, pool=False)
    settings = {"features": "channels", "steps": 2, "bootstrap": 50, "permutations": 50}
    return {version: score_subject(agent, subject, ScoreConfig(version=version, **settings)) for version in VERSIONS}


def test_factorisations_that_stopped_are_told(
    bank: FrameBank, evidence: Evidence, scores: dict[int, Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them, in the table, on the page and in the record; a record of before told the first alone."""
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    subject = explain(agent.network, "2b", bank, evidence, steps=2)
    config = ScoreConfig(steps=2, bootstrap=20, permutations=9, refits=2, components=4)
    monkeypatch.setattr(nmf, "MAX_ITERATIONS", 1)
    monkeypatch.setattr(components, "MAX_ITERATIONS", 1)
    record = score_subject(agent, subject, config, dilations=()).record
    fits, chosen = record.diagnostics.factorisation, record.diagnostics.components
    assert fits is not None
    assert chosen is not None
    assert fits.converged == [False] * 3
    assert chosen.stopped == (4,) * len(chosen.candidates)
    assert stopped_words(record) == "3 of 3: 0, 1, 2"
    assert dict(details(record))["factorisations stopped at the most iterations"] == "3 of 3: 0, 1, 2"
    document = record.to_json()
    assert document["diagnostics"]["factorisation"]["converged"] == [False] * 3
    document["diagnostics"]["factorisation"]["converged"] = True
    assert stopped_words(Record.from_json(document)) == "0 of 1"
    (line,) = [row for row in COMPARED if row[0] == "factorisations stopped at the most iterations"]
    assert line[1](record) == "3 of 3: 0, 1, 2"
    assert stopped_words(scores[2].record) == "–"


def named(score: Score, kind: str, monkeypatch: pytest.MonkeyPatch, interpretable: bool = False) -> Score:
    """The score with feature K named after a kind, or nearest to it."""
    monkeypatch.setattr(tables, "nearest_kind", lambda score, k: score.game.index(kind))
    verdict = score.verdict
    so = np.where(np.arange(len(verdict.interpretable)) == K, interpretable, verdict.interpretable)
    return replace(score, judged=replace(score.judged, verdict=replace(verdict, interpretable=so)))


def told(score: Score, metric: str, kind: str, form: str) -> str:
    value = score.features.of[metric][K, score.game.index(kind)]
    return "–" if np.isnan(value) else format(value, form).replace("-", "−")


@pytest.mark.parametrize(
    ("version", "kind", "words", "metrics"),
    [
        (2, "top", "platform top", ("kappa", "causal", "outline")),
        (2, "end_left", "left end of a platform", ("kappa", "causal", "outline")),
        (2, "agent", "the player", ("kappa", "causal")),
        (2, "velocity", "velocity squares", ("kappa", "causal")),
        (2, "crate", "crate", ("kappa", "causal")),
        (2, "saw", "saw", ("kappa", "causal", "sign")),
        (2, "enemy_left", "enemy moving left", ("kappa", "causal", "sign")),
        (1, "saw", "saw", ("kappa", "causal", "sign")),
        (1, "crate", "crate", ("kappa", "causal", "sign")),
        (1, "surface", "edge of the ground", ("kappa", "causal", "sign")),
    ],
)
def test_a_label_has_the_numbers_that_its_version_tells_of_the_kind(
    scores: dict[int, Score],
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    kind: str,
    words: str,
    metrics: tuple[str, ...],
) -> None:
    score = named(scores[version], kind, monkeypatch)
    head, numbers, share = label(score, K).split("\n")
    assert head == f"{K}: no class (nearest: {words})"
    called = {"kappa": ("κ", ".2f"), "causal": ("T", ".2f"), "outline": ("T outline", ".2f"), "sign": ("sign", "+.2f")}
    assert numbers == "   ".join(
        f"{word} {told(score, metric, kind, form)}" for metric, (word, form) in called.items() if metric in metrics
    )
    assert share == f"share {score.features.share[K]:.0%}"


@pytest.mark.parametrize(
    ("version", "kind", "words", "signed"),
    [(2, "top", "platform top", False), (2, "saw", "saw", True), (1, "surface", "edge of the ground", True)],
)
def test_a_sign_is_named_where_the_version_asks_for_one(
    scores: dict[int, Score], monkeypatch: pytest.MonkeyPatch, version: int, kind: str, words: str, signed: bool
) -> None:
    score = named(scores[version], kind, monkeypatch, interpretable=True)
    positive = score.verdict.sign[K, score.game.index(kind)] > 0
    sense = (", positive" if positive else ", negative") if signed else ""
    assert label(score, K).split("\n")[0] == f"{K}: {words}{sense}"


def test_the_terminals_table_has_the_columns_of_its_version(
    scores: dict[int, Score], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ["feature", "class", "lift, bits", "κ (95 % interval)", "sign", "T", "T control", "share", "interpretable"]
    assert [column.header for column in features_table(scores[1]).columns] == before
    table = features_table(named(scores[2], "top", monkeypatch))
    assert table.title == "features, version 2 of the score"
    assert [column.header for column in table.columns] == [*before[:7], "T outline", *before[7:]]
    row = np.argsort(-scores[2].features.share).tolist().index(K)
    cells = {str(column.header): list(column.cells)[row] for column in table.columns}
    assert cells["class"] == "platform top"
    assert cells["T"] == told(scores[2], "causal", "top", ".2f")
    assert cells["T outline"] == told(scores[2], "outline", "top", ".2f") != "–"
    assert cells["sign"] == cells["T control"] == "–"
    table = features_table(named(scores[2], "saw", monkeypatch))
    cells = {str(column.header): list(column.cells)[row] for column in table.columns}
    assert cells["sign"] == told(scores[2], "sign", "saw", "+.2f")
    assert cells["T outline"] == "–"


def test_agents_are_compared_under_the_name_of_the_version(scores: dict[int, Score]) -> None:
    record = scores[2].record
    found = replace(record, headline=replace(record.headline, classes={"coin": 1.0, "end_left": 0.5}))
    table = comparison([("a", found), ("b", scores[1].record)])
    lines = dict(zip(*(list(column.cells) for column in table.columns[:2]), strict=True))
    assert lines["version of the score"] == "2"
    assert lines["classes found"] == "coin, left end of a platform (50%)"
    assert next(iter(table.columns[2].cells)) == "1"
    assert classes_words({}, COINRUN) == "none"
    assert classes_words({"surface": 1.0}, COINRUN) == "edge of the ground"


def test_files_have_names_where_people_read_words(scores: dict[int, Score]) -> None:
    for version, game in ((1, COINRUN), (2, COINRUN.with_concepts())):
        assert set(feature_frame(scores[version])["class"]) == set(game.names)


def test_the_picture_names_the_version(
    scores: dict[int, Score], bank: FrameBank, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(features_figure, "save", lambda figure, path: drawn.append(figure))
    for version, score in scores.items():
        features_figure.features_figure(tmp_path / "a.png", score, bank.frames, bank.environment, "a", most=2)
        assert drawn[-1].get_suptitle() == f"a; version {version} of the score"


def test_what_is_told_only_of_some_kinds_is_named_by_flags_and_metrics_that_there_are() -> None:
    assert set(ONLY_OF) == set(VERSIONS)
    flags = {field.name for field in fields(Kind)}
    for only_of in ONLY_OF.values():
        assert set(only_of) <= {metric.name for metric in METRICS}
        assert {flag for flag in only_of.values() if flag is not None} <= flags


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_left_out_is_no_number_or_the_sign_of_what_has_no_sense(scores: dict[int, Score], version: int) -> None:
    """Version 1 alone never tells the agreement."""
    score, game = scores[version], scores[version].game
    for metric in METRICS:
        for c, kind in enumerate(game.kinds):
            if not is_told(metric.name, kind, version):
                silent = np.isnan(score.features.of[metric.name][:, c]).all()
                assert silent or metric.name in ("sign", "agreement")
                assert silent or kind.sense == 0 or version == 1
