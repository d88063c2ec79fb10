"""A study's answers as a table, and what they say as files and as tables to read."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pandas as pd
from rich.table import Table

from rollouts.documents import write_json
from rollouts.errors import InputError
from rollouts.files import atomic_path
from scoring.draw.words import plain, with_interval
from scoring.rating.answers import Answer, Answers
from scoring.rating.served import ANSWERS
from scoring.rating.study import Study, load
from scoring.rating.summary import Summary, summarise

ANSWERS_TABLE, SUMMARY = "ratings.parquet", "ratings.json"
COLUMNS = (
    "rater",
    "feature",
    "order",
    "answered",
    "changed",
    "revision",
    "rating",
    "shows",
    "agent",
    "weights_sha256",
    "agent_feature",
    "version",
    "label",
    "interpretable",
    "graded",
)


def answers_table(study: Study, answers: Sequence[Answer]) -> pd.DataFrame:
    """One row an answer: who, which feature, in which order, when, what; and what the score says of the feature.

    `shows` and `label` are names of the score's `version`; those of another version mean other things.
    """
    rows = []
    for answer in answers:
        feature = study.features[answer.feature]
        agent = study.agents[feature.agent]
        rows.append(
            (
                answer.rater,
                answer.feature,
                answer.position,
                answer.answered,
                answer.changed,
                answer.revision,
                answer.rating,
                answer.shows,
                agent.name,
                agent.weights_sha256,
                feature.number,
                study.settings.version,
                feature.label,
                feature.interpretable,
                feature.graded,
            )
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in ("answered", "changed"):
        table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601")
    return table


def export(folder: Path) -> tuple[Summary, list[Path]]:
    """Write the answers so far and what they say into a study's folder; the server may be running.

    Raises `InputError` for a study without answers, or whose agents were trained again.
    """
    study = load(folder)
    study.check_agents()
    path = folder / ANSWERS
    answers = Answers(path) if path.exists() else None
    given = answers.all() if answers is not None else []
    if answers is None or not given:
        raise InputError(f"{folder} has no answers yet.")
    summary = summarise(study, given, answers.raters())
    paths = [folder / ANSWERS_TABLE, folder / SUMMARY]
    with atomic_path(paths[0]) as temporary:
        answers_table(study, given).to_parquet(temporary, index=False)
    write_json(paths[1], asdict(summary))
    return summary, paths


def agents_table(summary: Summary) -> Table:
    """Each agent's rating beside its score."""
    table = Table("agent", "rating, 0 to 10 (95 %)", "answers", "interpretable fraction", "graded score")
    table.title = f"ratings beside version {summary.settings.version} of the score"
    for agent in summary.agents:
        scores = (plain(score, ".2f") for score in (agent.interpretable_fraction, agent.graded_score))
        table.add_row(agent.name, with_interval(agent.rating), str(agent.answers), *scores)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def agreement_table(summary: Summary) -> Table:
    """How far the raters agree about features and about agents, and how far the score agrees with them."""
    table = Table("", "features", "agents")
    levels = (summary.agreement.features, summary.agreement.agents)
    table.add_row("rated by all", *(f"{level.rated_by_all}, {level.raters} raters" for level in levels))
    table.add_row("Spearman between raters", *(plain(level.spearman, ".2f") for level in levels))
    table.add_row("ICC(2,1), one rater", *(with_interval(level.icc_2_1) for level in levels))
    table.add_row("ICC(2,k), the mean of all", *(with_interval(level.icc_2_k) for level in levels))
    correlation = summary.correlation
    for name, of_features, of_agents in (
        ("interpretable fraction", "", correlation.interpretable_fraction),
        ("graded score", plain(correlation.graded_of_features.spearman, ".2f"), correlation.graded_score),
    ):
        p = "" if of_agents.p is None else f" (p {of_agents.p:.4f})"
        table.add_row(f"Spearman with {name}", of_features, plain(of_agents.spearman, ".2f") + p)
    for name, part in (
        ("named alike by two raters", summary.same_name),
        ("named as scored", summary.named_as_scored),
    ):
        table.add_row(name, plain(None) if part.share is None else f"{part.share:.0%} of {part.of}", "")
    for column in table.columns[1:]:
        column.justify = "right"
    return table
