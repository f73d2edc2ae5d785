"""Tables, as text for a terminal and as Markdown; pages show them by `templates/parts.html`."""

from __future__ import annotations

import html
from collections.abc import Collection, Sequence
from typing import NamedTuple

NOTHING = "–"
"""The cell of a figure that is not defined."""


class Table(NamedTuple):
    """Cells of plain text.

    Attributes:
        head: the headings.
        lines: of cells, each as long as `head`.
        words: the columns that hold words, aligned left; figures are aligned right.
    """

    head: Sequence[str]
    lines: Sequence[Sequence[str]]
    words: Collection[int]


def text_table(table: Table) -> str:
    """Aligned columns, with a rule below the headings."""
    rows = [table.head, *table.lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.head))]

    def aligned(row: Sequence[str]) -> str:
        return "  ".join(
            cell.ljust(width) if column in table.words else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()

    return "\n".join([aligned(rows[0]), "  ".join("-" * width for width in widths), *map(aligned, rows[1:])])


def markdown_table(table: Table) -> str:
    """The table in Markdown."""
    rule = ["---" if column in table.words else "---:" for column in range(len(table.head))]
    rows = [map(escaped, table.head), rule, *(map(escaped, line) for line in table.lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def latex_table(table: Table) -> str:
    """The table as a LaTeX `tabular` with the rules of the package booktabs."""
    columns = "".join("l" if column in table.words else "r" for column in range(len(table.head)))
    rows = [" & ".join(map(_latex, line)) + r" \\" for line in [table.head, *table.lines]]
    rules = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", rows[0], r"\midrule", *rows[1:]]
    return "\n".join([*rules, r"\bottomrule", r"\end{tabular}"])


def markdown_list(facts: Sequence[tuple[str, str]]) -> str:
    """Names and values, plain text, as a Markdown list."""
    return "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in facts)


def escaped(text: str) -> str:
    """Plain text as Markdown, also inside a table."""
    return html.escape(text, quote=False).replace("|", "\\|")


_LATEX = {
    **{letter: rf"\{letter}" for letter in "&%$#_{}"},
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"},
    **{
        "↑": r"$\uparrow$",
        "↓": r"$\downarrow$",
        "α": r"$\alpha$",
        "Δ": r"$\Delta$",
        "°": r"$^\circ$",
        "–": "--",
    },
}


def _latex(text: str) -> str:
    return "".join(_LATEX.get(letter, letter) for letter in text)
