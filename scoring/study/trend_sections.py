"""The parts of RESULTS.md about trends: tests along the ladder, their power, and checkpoints along the trainings."""

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from scoring.draw.markdown import table as markdown
from scoring.draw.words import listed, percent, plain
from scoring.study.answer import Answer, of_default_layer
from scoring.study.cells import in_order, with_limits
from scoring.study.milestones import POINTS, at_equal_completion
from scoring.study.sections import picture
from scoring.study.trends import LEAST_RUNGS

ALONG = "Along the trainings: the score of checkpoints, the finished agent's with a ring."


def tests(answer: Answer) -> str:
    trends = ([] if answer.primary is None else [answer.primary]) + list(answer.secondary)
    cells = [
        (
            f"**primary**: {trend.name}" if trend is answer.primary else trend.name,
            plain(trend.statistic),
            plain(trend.p, ".4f"),
            "" if trend.adjusted is None else plain(trend.adjusted, ".4f"),
        )
        for trend in trends
    ]
    return f"### Tests\n\n{markdown(('test', 'ρ', 'p, one-sided', 'Holm'), cells)}"


def power(answer: Answer) -> str:
    deviations = list(next(iter(answer.power.values())))
    cells = [[shape, *(plain(p, ".2f") for p in chances.values())] for shape, chances in answer.power.items()]
    return (
        "Power of the primary test, if rung means scatter around a shape, by their sd as a share of the rise:"
        f"\n\n{markdown(['shape', *(f'{deviation:g}' for deviation in deviations)], cells)}"
    )


def along_training(rows: pd.DataFrame, table: pd.DataFrame, prefix: str) -> str:
    """A picture of the checkpoints' scores, and a table of those that complete about as many training levels."""
    rows = of_default_layer(rows, "shared", "nmf")
    unknown = sorted(set(rows["agent"]) - set(rows.dropna(subset="completes")["agent"]))
    level, rows = at_equal_completion(rows)
    rows = in_order(rows)
    order = rows["levels"].replace(0, np.inf)
    notes = ""
    if len(rows) >= LEAST_RUNGS and order.nunique() > 1 and rows["graded_score"].nunique() > 1:
        rho = spearmanr(order, rows["graded_score"]).statistic
        notes = f" Spearman's ρ of levels and graded score: {plain(rho, '.2f')} (no test)."
    if not rows["bank_sha256"].isin(table["bank_sha256"]).all():
        notes += " They were scored on another shared bank than the agents above, so finished agents differ a little."
    if unknown:
        notes += f" Left out, because they have no training curve: {listed(unknown)}."
    cells = [
        (
            row["agent"],
            f"{row['steps']:,}",
            percent(row["completes"]),
            with_limits(row, "interpretable_fraction", ".2f"),
            with_limits(row, "graded_score", ".3f"),
        )
        for _, row in rows.iterrows()
    ]
    parts = [
        "### At equal completion of training levels",
        picture(
            "Along the trainings: the score of checkpoints, the finished agent's with a ring.", f"{prefix}training"
        ),
        f"Of each agent the checkpoint, of those kept along its training, nearest to {percent(level)} of training "
        f"levels completed, the most that every agent reached. Shares are means of the training curve over the "
        f"{POINTS} updates before.{notes}",
        markdown(("agent", "steps", "completes", "fraction", "graded score"), cells),
    ]
    return "\n\n".join(parts)
