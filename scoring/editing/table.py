"""The table of how edited agents fail."""

from collections.abc import Mapping

from rich.table import Table

from agents.failures import Failures
from scoring.draw.words import with_interval
from scoring.metrics.statistics import Number


def failures_table(rows: Mapping[str, Failures]) -> Table:
    """How episodes end, a row for each agent, in percent with 95 % intervals; `unknown` only where it occurs."""
    names = next(iter(rows.values())).counts
    occurring = [name for name in names if name != "unknown" or any(row.counts[name] for row in rows.values())]
    table = Table("% of episodes")
    for name in occurring:
        table.add_column(name, justify="right")
    for row, failures in rows.items():
        table.add_row(row, *(with_interval(_percent(failures, name), ".1f", between="–") for name in occurring))
    return table


def _percent(failures: Failures, outcome: str) -> Number:
    low, high = failures.interval(outcome)
    return Number(100 * failures.share(outcome), (100 * low, 100 * high))
