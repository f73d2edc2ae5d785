"""The option `--markdown FILE[#NAME]` of commands that write tables."""

from __future__ import annotations

import argparse
from functools import partial

from kind.reports.document import Place


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
