"""A profile as a table, as JSON and as Markdown."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kind.profiling.measuring import Reference, Row
from kind.profiling.operations import CONVENTION
from kind.reports.table import NOTHING, Table, markdown_table
from kind.reports.table import text_table as aligned

HEADINGS = (
    "size",
    "network",
    "computed by",
    "precision",
    "parameters",
    "GFLOP",
    "peak MiB",
    "seconds",
    "frames/s",
)
_WORDS = 4  # columns that are not numbers


def notes(rows: Sequence[Row], rounds: int, reference: Reference | None = None) -> list[str]:
    """What must be known to read the figures.

    Args:
        rows: the profile.
        rounds: how often each figure was taken.
        reference: what the rows are compared with.

    Returns:
        One line each.
    """
    said = [
        f"size: height x width; seconds: median of {rounds} rounds, in which all lines of a size take turns",
        CONVENTION,
        "whole and lite: from the image to the relit image, stretch included; other lines: one network alone",
    ]
    if any(row.peak_mib is not None for row in rows):
        said.append("peak MiB: of a process for the line alone, above that of the interpreter's start")
    if reference:
        said.append(
            f"{reference.implementation}: {reference.description}; "
            f"{reference.heading}: its seconds divided by the line's"
        )
    return said


def text_table(rows: Sequence[Row], reference: Reference | None = None) -> str:
    """Aligned columns for a terminal; the ratios have a column where there is a reference."""
    return aligned(_table(rows, reference))


def markdown(rows: Sequence[Row], said: Sequence[str], reference: Reference | None = None) -> str:
    """A Markdown table and the notes below it; the ratios have a column where there is a reference."""
    return "\n".join([markdown_table(_table(rows, reference)), "", *(f"- {note}" for note in said)])


def as_json(rows: Sequence[Row], said: Sequence[str]) -> str:
    """All figures unrounded, and the notes."""
    return json.dumps({"notes": list(said), "rows": [row._asdict() for row in rows]}, indent=1) + "\n"


def _table(rows: Sequence[Row], reference: Reference | None) -> Table:
    if reference is None:
        return Table(HEADINGS, list(map(_cells, rows)), range(_WORDS))
    cells = [[*_cells(row), f"{row.speed_up:.2f}"] for row in rows]
    return Table((*HEADINGS, reference.heading), cells, range(_WORDS))


def _cells(row: Row) -> list[str]:
    return [
        f"{row.height}x{row.width}",
        row.network,
        row.implementation,
        row.precision,
        NOTHING if row.parameters is None else f"{row.parameters:,}",
        NOTHING if row.flops is None else _three_digits(row.flops / 1e9),
        NOTHING if row.peak_mib is None else f"{row.peak_mib:.0f}",
        f"{row.seconds:.3f}",
        f"{row.frames_per_second:.2f}",
    ]


def _three_digits(value: float) -> str:
    """At least three significant digits, without an exponent: 9.31, 29.1, 1,102."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
