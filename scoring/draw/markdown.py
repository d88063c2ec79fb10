"""Markdown tables."""

from collections.abc import Sequence

from tabulate import tabulate


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table, one line a row, whose cells stand as they are."""
    return tabulate(rows, heads, tablefmt="github", disable_numparse=True)
