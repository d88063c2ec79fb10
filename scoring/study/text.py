"""RESULTS.md: what was found, how sure it is, and what was measured by others."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from scoring.evidence import SCORED
from scoring.study.answer import Answer, at_default_layer, of_default_layer, rung_means
from scoring.study.milestones import POINTS, at_equal_completion
from scoring.study.table import published
from scoring.study.trends import LEAST_RUNGS, MOST_RUNGS, critical

LEVEL = 0.05


def results(
    table: pd.DataFrame,
    answers: Sequence[Answer],
    pictures: Mapping[str, str],
    unread: Sequence[str],
    along: pd.DataFrame | None = None,
) -> str:
    """The whole text. `pictures` maps a group to the prefix of its figures' names; `unread` names agents left out.

    `along` has the rows of checkpoints along the trainings.
    """
    rows = {each.group: table[table["group"] == each.group] for each in answers}
    first = " ".join(
        f"{summary(each)} {_controls_in_words(rows[each.group])} {_found(rows[each.group])}" for each in answers
    )
    parts = ["# Results", first, *_left_out(unread)]
    for each in answers:
        parts += _group(rows[each.group], each, pictures[each.group])
        if along is not None and (along["group"] == each.group).any():
            parts.append(_along_training(along[along["group"] == each.group], rows[each.group], pictures[each.group]))
    parts.append(_others())
    return "\n\n".join(parts) + "\n"


def summary(each: Answer) -> str:
    """What was found, and how sure it is."""
    rungs = len(each.levels)
    if each.primary is None:
        what = (
            "too few rungs for a test of the diversity hypothesis"
            if rungs < LEAST_RUNGS
            else "more rungs than an exact test can go through"
            if rungs > MOST_RUNGS
            else "no test, because a rung has no number"
        )
        agents = f"{each.agents} {'agent' if each.agents == 1 else 'agents'} on {_listed(each.levels)} levels"
        return f"**{each.group}**: {agents}: {what}. This is a description."
    rho, p = each.primary.statistic, each.primary.p
    found = "rises" if p <= LEVEL else "falls" if rho < 0 else "does not rise significantly"
    sure = f"Spearman's ρ = {rho:.2f}, exact one-sided p {_p(p)} over {rungs} rungs"
    ends = f"from {each.means[0]:.3f} on the first rung to {each.means[-1]:.3f} on the last"
    text = f"**{each.group}**: the graded score {found} with the number of training levels ({sure}; {ends})."
    if not np.isfinite(critical(rungs, LEVEL)):
        text += f" No order of so few rungs reaches p ≤ {LEVEL:g}."
    if each.descriptive:
        alone = "There is one agent a rung" if each.a_rung[1] < 2 else "Some rungs have one agent only"
        text += (
            f" {alone}, so this is descriptive: an order of these trainings, which does not separate the number of "
            "levels from the luck of a training."
        )
    return text


def _p(p: float) -> str:
    return f"= {p:.4f}" if p >= 1e-4 else "< 0.0001"


def _controls_in_words(table: pd.DataFrame) -> str:
    """What an untrained network and randomly rotated channels get."""
    at_default = at_default_layer(table, "shared")
    untrained = at_default[~at_default["trained"] & (at_default["features"] == "nmf")]["graded_score"].dropna()
    rotated = rung_means(of_default_layer(table, "shared", "rotated"), "graded_score").dropna()
    text = f"An untrained network has {untrained.mean():.3f}. " if len(untrained) else ""
    if len(rotated) > 1:
        text += f"Randomly rotated channels go from {rotated.iloc[0]:.3f} to {rotated.iloc[-1]:.3f}."
    return text.strip()


def _found(table: pd.DataFrame) -> str:
    """For which classes some channel is found, on which rungs."""
    rows = of_default_layer(table, "shared", "channels")
    found = {name: rows["levels"][rows[f"found_{name}"] > 0] for name in SCORED}
    there = [f"{name} on {_listed(_ordered(set(levels)))} levels" for name, levels in found.items() if len(levels)]
    absent = [name for name in SCORED if not len(found[name]) and rows[f"kappa_{name}"].notna().any()]
    rare = [name for name in SCORED if rows[f"kappa_{name}"].isna().all()]
    text = f"Some channel of {rows['default_layer'].iloc[0]} is found for " + ("; ".join(there) or "no class at all")
    if there and absent:
        text += f"; none on any rung for {_listed(absent)}"
    return text + (f" (too rare to be judged: {_listed(rare)})." if rare else ".")


def _ordered(levels: Iterable[int]) -> list[int]:
    """Numbers of levels, unlimited ones (0) last."""
    return sorted(levels, key=lambda count: (count == 0, count))


def _in_order(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows by number of levels, unlimited ones (0) last, then by seed."""
    return rows.sort_values(
        ["levels", "seed"], key=lambda column: column.replace(0, np.inf) if column.name == "levels" else column
    )


def _listed(things: Sequence[str] | Sequence[int]) -> str:
    words = [thing if isinstance(thing, str) else _levels(thing) for thing in things]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _left_out(unread: Sequence[str]) -> list[str]:
    return [f"Left out, because they cannot be read: {'; '.join(unread)}"] if unread else []


def _group(table: pd.DataFrame, each: Answer, prefix: str) -> list[str]:
    parts = [f"## {each.group}", "### Measured here"]
    parts += [_agents(of_default_layer(table, "shared", "nmf")), _controls(table), _classes(table)]
    for name, caption in (
        ("headline", "Graded score and interpretable fraction; dots are agents with 95 % intervals over environments."),
        ("completion", "Levels completed, with Wilson's 95 % intervals."),
        ("orbay2020", "The score of Orbay (2020) beside its chance level."),
        ("layers", "Every layer."),
        ("classes", "The class that any feature comes nearest to."),
    ):
        parts.append(f"![{caption}]({prefix}{name}.png)\n\n*{caption}*")
    if 0 in each.levels:
        parts.append("The pictures leave out agents of unlimited levels.")
    if each.primary is not None:
        parts += [_tests(each), _power(each)]
    return [*parts, _limits(table, each), _completeness(table)]


def _agents(rows: pd.DataFrame) -> str:
    heads = (
        "agent",
        "levels",
        "steps",
        "training levels",
        "unseen levels",
        "fraction",
        "graded score",
        "its sd over factorisations",
        "without surface",
        "orbay2020 (chance)",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for _, row in _in_order(rows).iterrows():
        lines.append(
            f"| {row['agent']} | {_levels(row['levels'])} | {row['steps']:,} | {_share(row, 'training')} "
            f"| {_share(row, 'unseen')} | {_number(row, 'interpretable_fraction', 2)} "
            f"| {_number(row, 'graded_score', 3)} | {_bare(row['graded_score_sd'])} "
            f"| {_bare(row['graded_without_surface'])} | {_bare(row['orbay2020'])} ({_bare(row['orbay_chance'])}) |"
        )
    return "\n".join(lines)


def _controls(table: pd.DataFrame) -> str:
    """The same agents and an untrained network with other features, and the numbers that stand beside the score."""
    at_default = at_default_layer(table, "shared")
    heads = (
        "agent",
        "nmf",
        "channels",
        "rotated channels",
        "lift, bits",
        "localisation, bits",
        "distinct classes",
        "split-half reliability",
    )
    lines = [
        "Graded score with each kind of features, an untrained network as the floor; the other columns are of the NMF:",
        "",
        f"| {' | '.join(heads)} |",
        "|---" * len(heads) + "|",
    ]
    of_nmf = _in_order(at_default[at_default["features"] == "nmf"])
    for _, row in pd.concat([of_nmf[of_nmf["trained"]], of_nmf[~of_nmf["trained"]]]).iterrows():
        own = at_default[at_default["agent"] == row["agent"]].set_index("features")["graded_score"]
        numbers = [_bare(own.get(kind)) for kind in ("nmf", "channels", "rotated")]
        numbers += [_number(row, name, 2) for name in ("lift", "localisation")]
        numbers += [_bare(row[name], 2) for name in ("distinct_classes", "split_half_reliability")]
        lines.append(f"| {row['agent']} | " + " | ".join(numbers) + " |")
    return "\n".join(lines)


def _classes(table: pd.DataFrame) -> str:
    lines = [
        "Highest κ of any channel of the default layer on a class, and channels found for it, shared bank:",
        "",
        "| levels | seed | " + " | ".join(SCORED) + " |",
        "|---" * (2 + len(SCORED)) + "|",
    ]
    for _, row in _in_order(of_default_layer(table, "shared", "channels")).iterrows():
        cells = [
            "–" if pd.isna(row[f"kappa_{name}"]) else f"{row[f'kappa_{name}']:.2f}, {int(row[f'found_{name}'])}"
            for name in SCORED
        ]
        lines.append(f"| {_levels(row['levels'])} | {row['seed']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _tests(each: Answer) -> str:
    assert each.primary is not None
    first = each.primary
    lines = ["### Tests", "", "| test | ρ | p, one-sided | Holm |", "|---|---|---|---|"]
    lines.append(f"| **primary**: {first.name} | {first.statistic:.3f} | {first.p:.4f} | |")
    lines += [f"| {t.name} | {t.statistic:.3f} | {t.p:.4f} | {t.adjusted:.4f} |" for t in each.secondary]
    return "\n".join(lines)


def _power(each: Answer) -> str:
    deviations = list(next(iter(each.power.values())))
    lines = ["Power of the primary test, if rung means scatter around a shape, by their sd as a share of the rise:", ""]
    lines += ["| shape | " + " | ".join(f"{d:g}" for d in deviations) + " |", "|---" * (1 + len(deviations)) + "|"]
    lines += [
        f"| {shape} | " + " | ".join(f"{p:.2f}" for p in found.values()) + " |" for shape, found in each.power.items()
    ]
    return "\n".join(lines)


def _limits(table: pd.DataFrame, each: Answer) -> str:
    """What the numbers do not say."""
    rows = of_default_layer(table, "shared", "nmf")
    rated = published()["unseen_completed"].mean(axis=0)
    lines = ["### How far this goes", ""]
    steps = sorted({rows["steps"].min(), rows["steps"].max()})
    text = f"- Training: {' to '.join(f'{count:,}' for count in steps)} steps an agent"
    if rows["unseen_completed"].notna().any():
        shares = rows["unseen_completed"]
        text += f", which complete {shares.min():.1%} to {shares.max():.1%} of unseen levels"
    lines.append(
        f"{text}. Hilton et al. trained for 2 billion, to {rated.min():.1%} to {rated.max():.1%}, and their agents "
        "complete all but a few of their training levels. What is found here holds for the beginning of a training."
    )
    if each.descriptive:
        seeds = "" if each.a_rung[1] < 2 else " on every rung"
        lines.append(
            "- Luck: the interval of a score is of the frames it was taken on, not of the training. How much a rung's "
            f"score changes with the seed was not measured{seeds}; that needs further agents, before longer training."
        )
    if each.primary is not None:
        without = rung_means(rows, "graded_without_surface").to_numpy()
        rho = f", ρ = {spearmanr(np.arange(len(without)), without).statistic:.2f}" if np.ptp(without) else ""
        lines.append(
            "- Surface: a feature on the tops of walls counts, although it cannot be tested by taking them out. "
            f"Without that class the graded score goes from {without[0]:.3f} on the first rung to {without[-1]:.3f} on "
            f"the last{rho} "
            f"(exploratory, no test; first factorisation)."
        )
    return "\n".join(lines)


def _completeness(table: pd.DataFrame) -> str:
    """How far integrated gradients are from summing to the target, layer by layer."""
    rows = table[(table["bank"] == "shared") & (table["features"] == "nmf") & table["trained"]]
    lines = [
        "Completeness error of integrated gradients, mean over frames, in standard deviations of the value:",
        "",
        "| layer | mean over agents | largest of an agent |",
        "|---|---|---|",
    ]
    for layer, own in (rows["completeness_error_mean"] / rows["target_sd"]).groupby(rows["layer"]):
        lines.append(f"| {layer} | {own.mean():.3f} | {own.max():.3f} |")
    lines += ["", "Where it is not small, that many steps are too few, and the layer's numbers are rough."]
    return "\n".join(lines)


def _along_training(rows: pd.DataFrame, table: pd.DataFrame, prefix: str) -> str:
    """A picture of the checkpoints' scores, and a table of those that complete about as many training levels."""
    rows = of_default_layer(rows, "shared", "nmf")
    unknown = _listed(sorted(set(rows["agent"]) - set(rows.dropna(subset="completes")["agent"])))
    level, rows = at_equal_completion(rows)
    rows = _in_order(rows)
    order = rows["levels"].replace(0, np.inf)
    trend = ""
    if len(rows) >= LEAST_RUNGS and order.nunique() > 1 and rows["graded_score"].nunique() > 1:
        rho = spearmanr(order, rows["graded_score"]).statistic
        trend = f" Spearman's ρ of levels and graded score: {rho:.2f} (no test)."
    if not rows["bank_sha256"].isin(table["bank_sha256"]).all():
        trend += " They were scored on another shared bank than the agents above, so finished agents differ a little."
    if unknown:
        trend += f" Left out, because they have no training curve: {unknown}."
    caption = "Along the trainings: the score of checkpoints, the finished agent's with a ring."
    lines = [
        "### At equal completion of training levels",
        "",
        f"![{caption}]({prefix}training.png)",
        "",
        f"*{caption}*",
        "",
        f"Of each agent the checkpoint, of those kept along its training, nearest to {level:.1%} of training levels "
        f"completed, the most that every agent reached. Shares are means of the training curve over the {POINTS} "
        f"updates before.{trend}",
        "",
        "| agent | steps | completes | fraction | graded score |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['agent']} | {row['steps']:,} | {row['completes']:.1%} | {_number(row, 'interpretable_fraction', 2)} "
        f"| {_number(row, 'graded_score', 3)} |"
        for _, row in rows.iterrows()
    ]
    return "\n".join(lines)


def _others() -> str:
    rated = published()
    lines = [
        "## Measured by Hilton et al. (2020)",
        "",
        f"{rated['source']}. Original CoinRun, 2 billion steps an agent; means of two agents a rung, each rated "
        "by two people.",
        "",
        "| levels | training levels | unseen levels | rated interpretable |",
        "|---|---|---|---|",
    ]
    for number, levels in enumerate(rated["levels"]):
        columns = (rated[name] for name in ("training_completed", "unseen_completed", "interpretable"))
        lines.append(f"| {levels:,} | " + " | ".join(f"{column[:, number].mean():.1%}" for column in columns) + " |")
    return "\n".join(lines)


def _levels(levels: int) -> str:
    return f"{levels:,}" if levels else "unlimited"


def _share(row: pd.Series, kind: str) -> str:
    if np.isnan(row[f"{kind}_completed"]):
        return "–"
    return f"{row[f'{kind}_completed']:.1%} ({row[f'{kind}_low']:.1%}–{row[f'{kind}_high']:.1%})"


def _bare(value: float | None, digits: int = 3) -> str:
    return "–" if pd.isna(value) else f"{value:.{digits}f}"


def _number(row: pd.Series, name: str, digits: int) -> str:
    if pd.isna(row[name]):
        return "–"
    return f"{row[name]:.{digits}f} ({row[f'{name}_low']:.{digits}f}–{row[f'{name}_high']:.{digits}f})"
