"""A study's answers as a table, and what they say: agreement, each agent's rating, and how the score compares."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from rich.table import Table

from scoring.metrics.arrays import FloatArray
from scoring.rating.agreement import complete, group_means, icc, mean_spearman, rank_correlation, rating, spearman
from scoring.rating.answers import Answer
from scoring.rating.study import Study
from scoring.tables import interval

FORMAT = "coinrun-ratings-1"
HEADLINE = ("interpretable_fraction", "graded_score")


def answers_table(study: Study, answers: Sequence[Answer]) -> pd.DataFrame:
    """One row an answer: who, which feature, in which order, when, what; and what the score says of the feature."""
    rows = []
    for answer in answers:
        feature = study.features[answer.feature]
        agent = study.agents[feature.agent]
        rows.append(
            {
                "rater": answer.rater,
                "feature": answer.feature,
                "order": answer.position,
                "answered": answer.answered,
                "changed": answer.changed,
                "revision": answer.revision,
                "rating": answer.rating,
                "shows": answer.shows,
                "agent": agent.name,
                "weights_sha256": agent.weights_sha256,
                "agent_feature": feature.number,
                "label": feature.label,
                "interpretable": feature.interpretable,
                "graded": feature.graded,
            }
        )
    columns = [
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
        "label",
        "interpretable",
        "graded",
    ]
    table = pd.DataFrame(rows, columns=columns)
    for column in ("answered", "changed"):
        table[column] = pd.to_datetime(table[column], utc=True, format="ISO8601")
    return table


def summary(study: Study, answers: Sequence[Answer], raters: Sequence[str], seed: int = 0) -> dict[str, Any]:
    """Everything that the ratings say, as JSON can hold it; None where answers are too few for a number."""
    ratings = np.full((len(study.features), len(raters)), np.nan)
    for answer in answers:
        ratings[answer.feature, raters.index(answer.rater)] = answer.rating
    owner = np.array([feature.agent for feature in study.features])
    means = group_means(ratings, owner, len(study.agents))
    agents = []
    for index, agent in enumerate(study.agents):
        own = ratings[owner == index]
        found = rating(own, seed=seed)
        agents.append(
            {
                "name": agent.name,
                "rating": {"value": found and found[0], "interval": found and list(found[1])},
                "answers": int((~np.isnan(own)).sum()),
                **{key: getattr(agent, key) for key in HEADLINE},
            }
        )
    return {
        "format": FORMAT,
        "raters": {name: int((~np.isnan(ratings[:, r])).sum()) for r, name in enumerate(raters)},
        "features": len(study.features),
        "agreement": {"features": _agreement(ratings), "agents": _agreement(means)},
        "same_name": _same_name(answers),
        "named_as_scored": _named_as_scored(study, answers),
        "agents": agents,
        "correlation": {key: _with_headline(agents, key, seed) for key in HEADLINE}
        | {"graded_of_features": _with_grades(study, ratings)},
        "settings": study.settings,
    }


def _agreement(ratings: FloatArray) -> dict[str, Any]:
    """Of what all raters rated who rated anything."""
    table = complete(ratings)
    found = icc(table)
    single, average = ({"value": r.value, "interval": list(r.interval)} for r in found) if found else (_NONE, _NONE)
    return {
        "rated_by_all": len(table),
        "raters": table.shape[1],
        "spearman": mean_spearman(table),
        "icc_2_1": single,
        "icc_2_k": average,
    }


def _same_name(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of all pairs of answers to a feature, the share that says the feature shows the same."""
    named: dict[int, list[str]] = {}
    for answer in answers:
        named.setdefault(answer.feature, []).append(answer.shows.casefold())
    pairs = [a == b for names in named.values() for i, a in enumerate(names) for b in names[:i]]
    return {"share": float(np.mean(pairs)) if pairs else None, "of": len(pairs)}


def _named_as_scored(study: Study, answers: Sequence[Answer]) -> dict[str, Any]:
    """Of the answers to features that the score calls interpretable, the share that names the score's class."""
    hits = [
        answer.shows == study.features[answer.feature].label
        for answer in answers
        if study.features[answer.feature].interpretable
    ]
    return {"share": float(np.mean(hits)) if hits else None, "of": len(hits)}


def _with_headline(agents: Sequence[Mapping[str, Any]], key: str, seed: int) -> dict[str, Any]:
    """Rank correlation of the agents' ratings with their score."""
    pairs = [(a["rating"]["value"], a[key]) for a in agents if None not in (a["rating"]["value"], a[key])]
    x, y = np.array(pairs, dtype=float).reshape(-1, 2).T
    found = rank_correlation(x, y, seed)
    return {"spearman": found and found[0], "p": found and found[1], "agents": len(pairs)}


def _with_grades(study: Study, ratings: FloatArray) -> dict[str, Any]:
    """Rank correlation of the features' mean ratings with their graded scores, whichever agent they are of."""
    mean = group_means(ratings.T, np.zeros(ratings.shape[1], dtype=np.int64), 1)[0]
    rated = ~np.isnan(mean)
    graded = np.array([feature.graded for feature in study.features])
    return {"spearman": spearman(mean[rated], graded[rated]), "features": int(rated.sum())}


_NONE: dict[str, Any] = {"value": None, "interval": None}


def agents_table(found: Mapping[str, Any]) -> Table:
    """Each agent's rating beside its score."""
    table = Table("agent", "rating, 0 to 10 (95 %)", "answers", "interpretable fraction", "graded score")
    for agent in found["agents"]:
        scores = (_plain(agent[key]) for key in HEADLINE)
        table.add_row(agent["name"], interval(agent["rating"]), str(agent["answers"]), *scores)
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def agreement_table(found: Mapping[str, Any]) -> Table:
    """How far the raters agree about features and about agents, and how far the score agrees with them."""
    table = Table("", "features", "agents")
    both = [found["agreement"][level] for level in ("features", "agents")]
    table.add_row("rated by all", *(f"{level['rated_by_all']}, {level['raters']} raters" for level in both))
    table.add_row("Spearman between raters", *(_plain(level["spearman"]) for level in both))
    table.add_row("ICC(2,1), one rater", *(interval(level["icc_2_1"]) for level in both))
    table.add_row("ICC(2,k), the mean of all", *(interval(level["icc_2_k"]) for level in both))
    correlation = found["correlation"]
    for key in HEADLINE:
        row = correlation[key]
        p = "" if row["p"] is None else f" (p {row['p']:.4f})"
        features = _plain(correlation["graded_of_features"]["spearman"]) if key == "graded_score" else ""
        table.add_row(f"Spearman with {key.replace('_', ' ')}", features, _plain(row["spearman"]) + p)
    for key, name in (("same_name", "named alike by two raters"), ("named_as_scored", "named as scored")):
        share = found[key]["share"]
        table.add_row(name, "–" if share is None else f"{share:.0%} of {found[key]['of']}", "")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
