"""The options `--markdown FILE[#NAME]`, `--latex FILE` and `--csv FILE` of commands that write tables."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from kind.reports.document import Place
from kind.reports.table import Table, latex_table
from kind.reports.writing import write_csv, write_text


def add_markdown_argument(parser: argparse.ArgumentParser, name: str) -> None:
    """Declares `--markdown`, a `kind.reports.document.Place` or None.

    Args:
        parser: of the command.
        name: of the markers, where the user gives none.
    """
    parser.add_argument(
        "--markdown",
        type=partial(Place.parse, default=name),
        metavar="FILE[#NAME]",
        help="also write the tables into a Markdown document, between the lines <!-- NAME begin --> and "
        f"<!-- NAME end --> (default NAME: {name})",
    )


def add_table_arguments(parser: argparse.ArgumentParser, name: str) -> None:
    """Declares `--markdown`, see `add_markdown_argument`, and `--latex` and `--csv`, paths or None."""
    add_markdown_argument(parser, name)
    parser.add_argument(
        "--latex", type=Path, metavar="FILE", help="also write the table for LaTeX, with the package booktabs"
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the table, unrounded, as CSV")


def write_tables(
    arguments: argparse.Namespace, table: Table, head: Sequence[str], lines: Iterable[Sequence[Any]]
) -> list[Path]:
    """Writes what `--latex` and `--csv` ask for.

    Args:
        arguments: of the command.
        table: for LaTeX.
        head: headings of the CSV file.
        lines: of the CSV file.

    Returns:
        The files that were written.

    Raises:
        UserError: when one cannot be written.
    """
    if arguments.latex:
        write_text(arguments.latex, f"{latex_table(table)}\n")
    if arguments.csv:
        write_csv(arguments.csv, head, lines)
    return [path for path in (arguments.latex, arguments.csv) if path]
