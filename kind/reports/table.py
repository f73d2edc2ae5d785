"""The one table, as text for a terminal, as Markdown, and cell by cell for the report."""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from kind.errors import UserError
from kind.evaluation.summary import Evaluation, Statistic, SummaryRow
from kind.files import atomic_write

# Heading and decimals. Up and down say which way is better.
_COLUMNS = {
    "psnr": ("PSNR ↑", 2),
    "ssim": ("SSIM ↑", 4),
    "ssim_gray": ("SSIM-gray ↑", 4),
    "mae": ("MAE ↓", 4),
    "loe": ("LOE ↓", 1),
    "niqe": ("NIQE ↓", 2),
    "lpips": ("LPIPS ↓", 4),
    "seconds": ("seconds ↓", 2),
}
_STATISTICS = ("mean", "median", "95 %")

WORDS = (0, 1, 3)
"""The places in a line of `cells` that hold words, not figures."""


def headings(summary: Sequence[SummaryRow]) -> list[str]:
    """The headings of `cells`, the same for every row."""
    columns = summary[0].figures if summary else ()
    return ["method", "protocol", "images", "", *map(heading, columns)]


def cells(summary: Sequence[SummaryRow]) -> list[list[str]]:
    """Three lines for each method and protocol: mean, median, bootstrap interval of the mean."""
    lines = []
    for row in summary:
        for number, statistic in enumerate(_STATISTICS):
            first = [row.method, row.protocol, str(row.images)] if number == 0 else ["", "", ""]
            figures = [_cell(figure, statistic, column) for column, figure in row.figures.items()]
            lines.append([*first, statistic, *figures])
    return lines


def heading(column: str) -> str:
    """A figure's name, with the direction that is better."""
    return _COLUMNS[column][0]


def text_table(summary: Sequence[SummaryRow]) -> str:
    """Aligned columns for a terminal."""
    return aligned_table([headings(summary), *cells(summary)], WORDS)


def aligned_table(lines: Sequence[Sequence[str]], words: Collection[int]) -> str:
    """Cells below one another, with a rule below the first line, the headings.

    Args:
        lines: all equally long.
        words: the columns that hold words, which go to the left; figures go to the right.

    Returns:
        Plain text.
    """
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]

    def aligned(line: Sequence[str]) -> str:
        cells = zip(range(len(line)), line, widths)
        return "  ".join(
            cell.ljust(width) if column in words else cell.rjust(width) for column, cell, width in cells
        ).rstrip()

    rule = "  ".join("-" * width for width in widths)
    return "\n".join([aligned(lines[0]), rule, *map(aligned, lines[1:])])


def markdown_table(evaluation: Evaluation) -> str:
    """Facts and notes as a list, and the table with one line for each method and protocol.

    Args:
        evaluation: see `summarise`.

    Returns:
        Markdown; each cell is mean, median and interval.
    """
    facts = [*evaluation.facts, *(("Note", note) for note in evaluation.all_notes)]
    lines = [f"- {escaped(name)}: {escaped(value)}" for name, value in facts]
    lines += ["", "Each cell: mean (median) [bootstrap 95 % interval of the mean over images].", ""]
    lines.append(
        "| " + " | ".join(["method", "protocol", "images", *map(heading, evaluation.columns)]) + " |"
    )
    lines.append("| --- | --- | ---: |" + " ---: |" * len(evaluation.columns))
    for row in evaluation.summary:
        words = [escaped(row.method), row.protocol, str(row.images)]
        figures = [_markdown_cell(figure, column) for column, figure in row.figures.items()]
        lines.append("| " + " | ".join([*words, *figures]) + " |")
    return "\n".join(lines)


def escaped(text: str) -> str:
    """Plain text as Markdown, also inside a table."""
    return html.escape(text, quote=False).replace("|", "\\|")


def check_markers(document: Path, name: str) -> None:
    """Refuses a document that has no place for the table.

    Raises:
        UserError: when the document is missing or lacks the markers.
    """
    _split_at_markers(document, name)


def write_between_markers(document: Path, name: str, content: str) -> None:
    """Replaces what stands between `<!-- NAME begin -->` and `<!-- NAME end -->`.

    Args:
        document: a Markdown file with both markers.
        name: of the markers.
        content: without markers.

    Raises:
        UserError: when the document is missing or lacks the markers.
    """
    before, after = _split_at_markers(document, name)
    with atomic_write(document) as temporary:
        temporary.write_text(f"{before}\n{content}\n{after}", encoding="utf-8", errors="backslashreplace")


def _split_at_markers(document: Path, name: str) -> tuple[str, str]:
    begin, end = f"<!-- {name} begin -->", f"<!-- {name} end -->"
    try:
        text = document.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"{document}: expected a Markdown document with {begin} and {end}: {error}"
        ) from error
    match = re.search(f"(.*{re.escape(begin)}).*({re.escape(end)}.*)", text, re.DOTALL)
    if not match:
        raise UserError(f"{document}: expected the lines {begin} and {end}, between which the table goes")
    return match[1], match[2]


def _cell(figure: Statistic, statistic: str, column: str) -> str:
    decimals = _COLUMNS[column][1]
    if statistic == "95 %":
        return "–" if figure.interval is None else "–".join(f"{end:.{decimals}f}" for end in figure.interval)
    value = figure.mean if statistic == "mean" else figure.median
    return "–" if value is None else f"{value:.{decimals}f}"


def _markdown_cell(figure: Statistic, column: str) -> str:
    mean, median, interval = (_cell(figure, statistic, column) for statistic in _STATISTICS)
    return f"{mean} ({median}) [{interval}]" if figure.interval else f"{mean} ({median})"
