"""RESULTS.md: what was found, how sure it is, and what was measured by others."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from rollouts.env import EnvOptions
from scoring.draw.layouts import MODE, on_unseen_levels
from scoring.draw.words import listed, percent, plain
from scoring.study import sections, trend_sections
from scoring.study.answer import Answer, at_default_layer, correlation, of_default_layer, rung_means
from scoring.study.beside import beside
from scoring.study.cells import levels_in_order, number_of_levels
from scoring.study.published import published
from scoring.study.table import by_objects, game_of, kinds_of
from scoring.study.trends import LEAST_RUNGS, MOST_RUNGS, critical

LEVEL = 0.05


def results(
    table: pd.DataFrame,
    answers: Sequence[Answer],
    pictures: Mapping[str, str],
    unread: Sequence[str],
    along: pd.DataFrame | None = None,
    earlier: pd.DataFrame | None = None,
) -> str:
    """The whole text. `pictures` maps a group to the prefix of its figures' names; `unread` names agents left out.

    `along` has the rows of checkpoints along the trainings, of the table's version of the score; `earlier` has those of
    an earlier version.
    """
    rows = {answer.group: table[table["group"] == answer.group] for answer in answers}
    first = " ".join(
        f"{summary(answer)} {controls(rows[answer.group])} {kinds(rows[answer.group])}" for answer in answers
    )
    parts = ["# Results", first]
    if unread:
        parts.append(f"Left out, because they cannot be read: {'; '.join(unread)}")
    for answer in answers:
        own, prefix = rows[answer.group], pictures[answer.group]
        parts += [f"## {answer.group}", "### Measured here", *sections.measured(own, answer, prefix)]
        if answer.primary is not None:
            parts += [trend_sections.tests(answer), trend_sections.power(answer)]
        parts += [limits(own, answer), sections.completeness(own)]
        if along is not None and (along["group"] == answer.group).any():
            parts.append(trend_sections.along_training(along[along["group"] == answer.group], own, prefix))
        if earlier is not None and (earlier["group"] == answer.group).any():
            parts.append(beside(own, earlier[earlier["group"] == answer.group]))
    parts.append(sections.others())
    return "\n\n".join(parts) + "\n"


def summary(answer: Answer) -> str:
    """Whether the score rises with the number of levels, and how sure it is."""
    rungs = len(answer.levels)
    group = f"**{answer.group}**"
    if answer.version != 1:
        group += f" (version {answer.version} of the score)"
    if answer.primary is None:
        why = (
            "too few rungs for a test of the diversity hypothesis"
            if rungs < LEAST_RUNGS
            else "more rungs than an exact test can go through"
            if rungs > MOST_RUNGS
            else "no test, because a rung has no number"
        )
        levels = listed(list(map(number_of_levels, answer.levels)))
        agents = f"{answer.agents} {'agent' if answer.agents == 1 else 'agents'} on {levels} levels"
        return f"{group}: {agents}: {why}. This is a description."
    rho, p = answer.primary.statistic, answer.primary.p
    trend = "rises" if p <= LEVEL else "falls" if rho < 0 else "does not rise significantly"
    chance = f"= {plain(p, '.4f')}" if p >= 1e-4 else "< 0.0001"
    sure = f"Spearman's ρ = {plain(rho, '.2f')}, exact one-sided p {chance} over {rungs} rungs"
    ends = f"from {plain(answer.means[0])} on the first rung to {plain(answer.means[-1])} on the last"
    text = f"{group}: the graded score {trend} with the number of training levels ({sure}; {ends})."
    if not np.isfinite(critical(rungs, LEVEL)):
        text += f" No order of so few rungs reaches p ≤ {LEVEL:g}."
    if answer.descriptive:
        alone = "There is one agent a rung" if answer.a_rung[1] < 2 else "Some rungs have one agent only"
        text += (
            f" {alone}, so this is descriptive: an order of these trainings, which does not separate the number of "
            "levels from the luck of a training."
        )
    return text


def controls(table: pd.DataFrame) -> str:
    """What an untrained network and randomly rotated channels get."""
    at_default = at_default_layer(table, "shared")
    untrained = at_default[~at_default["trained"] & (at_default["features"] == "nmf")]["graded_score"].dropna()
    rotated = rung_means(of_default_layer(table, "shared", "rotated"), "graded_score").dropna()
    text = f"An untrained network has {plain(untrained.mean())}. " if len(untrained) else ""
    if len(rotated) > 1:
        text += f"Randomly rotated channels go from {plain(rotated.iloc[0])} to {plain(rotated.iloc[-1])}."
    return text.strip()


def kinds(table: pd.DataFrame) -> str:
    """By which kinds of things some channel is interpretable, on which rungs."""
    rows = of_default_layer(table, "shared", "channels")
    words = kinds_of(table)
    rungs = {name: levels_in_order(rows["levels"][rows[f"found_{name}"] > 0]) for name in words}
    present = [
        f"{words[name]} on {listed(list(map(number_of_levels, levels)))} levels"
        for name, levels in rungs.items()
        if levels
    ]
    absent = [words[name] for name in words if not rungs[name] and rows[f"kappa_{name}"].notna().any()]
    rare = [words[name] for name in words if rows[f"kappa_{name}"].isna().all()]
    text = f"Some channel of {rows['default_layer'].iloc[0]} is found for " + ("; ".join(present) or "no class at all")
    if present and absent:
        text += f"; none on any rung for {_apart(absent)}"
    return text + (f" (too rare to be judged: {_apart(rare)})." if rare else ".")


def _apart(words: Sequence[str]) -> str:
    """A list in words, with semicolons where some of them have a comma ('foot of a step, left')."""
    return "; ".join(words) if any("," in one for one in words) else listed(words)


def limits(table: pd.DataFrame, answer: Answer) -> str:
    """What the numbers do not say."""
    rows = of_default_layer(table, "shared", "nmf")
    rated = published().completed["unseen"].mean(axis=0)
    lines = ["### How far this goes", ""]
    steps = sorted({rows["steps"].min(), rows["steps"].max()})
    text = f"- Training: {' to '.join(f'{count:,}' for count in steps)} steps an agent"
    if rows["unseen_completed"].notna().any():
        shares = rows["unseen_completed"]
        text += f", which complete {percent(shares.min())} to {percent(shares.max())} of unseen levels"
    lines.append(
        f"{text}. Hilton et al. trained for 2 billion, to {percent(rated.min())} to {percent(rated.max())}, and their "
        "agents complete all but a few of their training levels. What is found here holds for the beginning of a "
        "training."
    )
    if MODE in answer.group.split(", ") and rows["unseen_completed"].notna().any():
        trained = [EnvOptions(MODE, num_levels=int(levels)) for levels in answer.levels]
        lines.append(f"- Unseen levels: {on_unseen_levels(trained)}")
    if answer.descriptive:
        seeds = "" if answer.a_rung[1] < 2 else " on every rung"
        lines.append(
            "- Luck: the interval of a score is of the frames it was taken on, not of the training. How much a rung's "
            f"score changes with the seed was not measured{seeds}; that needs further agents, before longer training."
        )
    if answer.primary is not None:
        lines.append(objects_alone(rows, answer.version))
    return "\n".join(lines)


def objects_alone(rows: pd.DataFrame, version: int) -> str:
    """How the graded score goes along the rungs when single objects alone count; version 1 has no test of that."""
    if version == 1:
        why = (
            "Surface: a feature on the tops of walls counts, although it cannot be tested by taking them out. Without "
            "that class"
        )
        note = "exploratory, no test; first factorisation"
    else:
        objects = [kind.words for kind in game_of(rows).kinds if kind.headline and kind.controlled]
        why, note = f"Objects: not every kind is a single object. By {listed(objects)} alone", "first factorisation"
    means = rung_means(rows, by_objects(version))
    rho = correlation(means)
    trend = "" if rho is None else f", ρ = {plain(rho, '.2f')}"
    ends = f"from {plain(means.iloc[0])} on the first rung to {plain(means.iloc[-1])} on the last"
    return f"- {why} the graded score goes {ends}{trend} ({note})."
