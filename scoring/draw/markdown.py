"""Markdown tables."""

from collections.abc import Sequence

from tabulate import DataRow, TableFormat, tabulate

PIPES = TableFormat(
    lineabove=None,
    linebelowheader=lambda widths, aligns: "|---" * len(widths) + "|",
    linebetweenrows=None,
    linebelow=None,
    headerrow=DataRow("|", "|", "|"),
    datarow=DataRow("|", "|", "|"),
    padding=1,
    with_header_hide=None,
)
"""One line a row, without the spaces that would align columns and make every row change with the longest."""


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A pipe table, one line a row, whose cells stand as they are."""
    return tabulate(rows, heads, tablefmt=PIPES, disable_numparse=True, stralign=None)
