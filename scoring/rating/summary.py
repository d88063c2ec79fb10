"""What a study's answers say: agreement, each agent's rating, and how the score compares (`docs/rating.md`)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scoring.metrics.arrays import FloatArray
from scoring.metrics.statistics import NO_NUMBER, Number
from scoring.rating.agreement import complete, group_means, icc, mean_spearman, rank_correlation, rating, spearman
from scoring.rating.answers import Answer
from scoring.rating.settings import RatingConfig
from scoring.rating.study import Study

FORMAT = "coinrun-ratings-1"


@dataclass(frozen=True)
class Agreement:
    """Of `raters` who rated anything, about the targets that all of them rated; None where they are too few."""

    rated_by_all: int
    raters: int
    spearman: float | None
    icc_2_1: Number
    icc_2_k: Number


@dataclass(frozen=True)
class AgreementLevels:
    """About single features, and about agents by their features' mean."""

    features: Agreement
    agents: Agreement


@dataclass(frozen=True)
class Share:
    """A share `of` so many; None of none."""

    share: float | None
    of: int


@dataclass(frozen=True)
class AgentRating:
    """An agent's rating, beside what the score said of it."""

    name: str
    rating: Number
    answers: int
    interpretable_fraction: float | None
    graded_score: float | None


@dataclass(frozen=True)
class OfAgents:
    """Rank correlation of agents' ratings with a number of their score, and its one-sided p by permutation."""

    spearman: float | None
    p: float | None
    agents: int


@dataclass(frozen=True)
class OfFeatures:
    """Rank correlation of features' mean ratings with their graded scores, whichever agent they are of."""

    spearman: float | None
    features: int


@dataclass(frozen=True)
class Correlation:
    interpretable_fraction: OfAgents
    graded_score: OfAgents
    graded_of_features: OfFeatures


@dataclass(frozen=True)
class Summary:
    """Everything that the ratings say. `raters` has for each the number of their answers.

    `same_name` is the share of pairs of answers to a feature that say the same, `named_as_scored` that of answers to
    features which the score calls interpretable that name the score's kind of thing.
    """

    format: str
    game: str
    raters: dict[str, int]
    features: int
    agreement: AgreementLevels
    same_name: Share
    named_as_scored: Share
    agents: list[AgentRating]
    correlation: Correlation
    settings: RatingConfig


def summarise(study: Study, answers: Sequence[Answer], raters: Sequence[str], seed: int = 0) -> Summary:
    """Of the answers so far; None where they are too few for a number."""
    ratings = np.full((len(study.features), len(raters)), np.nan)
    for answer in answers:
        ratings[answer.feature, raters.index(answer.rater)] = answer.rating
    owner = np.array([feature.agent for feature in study.features])
    agents = [
        AgentRating(
            agent.name,
            rating(ratings[owner == index], seed=seed),
            int((~np.isnan(ratings[owner == index])).sum()),
            agent.interpretable_fraction,
            agent.graded_score,
        )
        for index, agent in enumerate(study.agents)
    ]
    rated = [agent.rating.value for agent in agents]
    return Summary(
        FORMAT,
        study.game,
        {name: int((~np.isnan(ratings[:, r])).sum()) for r, name in enumerate(raters)},
        len(study.features),
        AgreementLevels(_agreement(ratings), _agreement(group_means(ratings, owner, len(study.agents)))),
        _same_name(answers),
        _named_as_scored(study, answers),
        agents,
        Correlation(
            _of_agents(rated, [agent.interpretable_fraction for agent in agents], seed),
            _of_agents(rated, [agent.graded_score for agent in agents], seed),
            _of_features(study, ratings),
        ),
        study.settings,
    )


def _agreement(ratings: FloatArray) -> Agreement:
    table = complete(ratings)
    single, average = icc(table) or (NO_NUMBER, NO_NUMBER)
    return Agreement(len(table), table.shape[1], mean_spearman(table), single, average)


def _same_name(answers: Sequence[Answer]) -> Share:
    named: dict[int, list[str]] = {}
    for answer in answers:
        named.setdefault(answer.feature, []).append(answer.shows.casefold())
    return _share([a == b for names in named.values() for i, a in enumerate(names) for b in names[:i]])


def _named_as_scored(study: Study, answers: Sequence[Answer]) -> Share:
    features = study.features
    return _share([a.shows == features[a.feature].label for a in answers if features[a.feature].interpretable])


def _share(hits: Sequence[bool]) -> Share:
    return Share(float(np.mean(hits)) if hits else None, len(hits))


def _of_agents(ratings: Sequence[float | None], scores: Sequence[float | None], seed: int) -> OfAgents:
    pairs = [pair for pair in zip(ratings, scores, strict=True) if None not in pair]
    x, y = np.array(pairs, dtype=float).reshape(-1, 2).T
    correlation, p = rank_correlation(x, y, seed) or (None, None)
    return OfAgents(correlation, p, len(pairs))


def _of_features(study: Study, ratings: FloatArray) -> OfFeatures:
    mean = group_means(ratings.T, np.zeros(ratings.shape[1], dtype=np.int64), 1)[0]
    rated = ~np.isnan(mean)
    graded = np.array([feature.graded for feature in study.features])
    return OfFeatures(spearman(mean[rated], graded[rated]), int(rated.sum()))
