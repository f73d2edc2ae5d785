"""The tables of an evaluation: for terminal and page three lines a row, for Markdown one."""

from __future__ import annotations

from collections.abc import Sequence

from kind.evaluation.run import Row
from kind.evaluation.summary import Evaluation, Statistic, SummaryRow
from kind.reports.table import NOTHING, Table, markdown_list, markdown_table

# Heading and decimals. Up and down say which way is better.
_COLUMNS = {
    "psnr": ("PSNR ↑", 2),
    "ssim": ("SSIM ↑", 4),
    "ssim_gray": ("SSIM-gray ↑", 4),
    "mae": ("MAE ↓", 4),
    "mse": ("MSE ↓", 5),
    "ms_ssim": ("MS-SSIM ↑", 4),
    "vif": ("VIF ↑", 4),
    "fsim": ("FSIM ↑", 4),
    "delta_e2000": ("ΔE2000 ↓", 2),
    "loe": ("LOE ↓", 1),
    "blown": ("blown ↓", 4),
    "hue": ("hue ° ↓", 1),
    "noise": ("noise ↓", 2),
    "halo": ("halo ↓", 3),
    "niqe": ("NIQE ↓", 2),
    "lpips": ("LPIPS ↓", 4),
    "seconds": ("seconds ↓", 2),
}
_STATISTICS = ("mean", "median", "95 %")


def summary_table(summary: Sequence[SummaryRow]) -> Table:
    """Lines for each method and protocol: mean, median and, where there is one, the interval of the mean."""
    columns = summary[0].figures if summary else ()
    has_intervals = any(figure.interval for row in summary for figure in row.figures.values())
    lines = []
    for row in summary:
        for number, statistic in enumerate(_STATISTICS[: None if has_intervals else -1]):
            first = [row.method, row.protocol, str(row.images)] if number == 0 else ["", "", ""]
            figures = [_cell(figure, statistic, column) for column, figure in row.figures.items()]
            lines.append([*first, statistic, *figures])
    return Table(["method", "protocol", "images", "", *map(_heading, columns)], lines, (0, 1, 3))


def means_table(summary: Sequence[SummaryRow]) -> Table:
    """One line for each method and protocol: the means."""
    columns = summary[0].figures if summary else ()
    lines = []
    for row in summary:
        figures = [_cell(row.figures[key], "mean", key) for key in columns]
        lines.append([row.method, row.protocol, str(row.images), *figures])
    return Table(["method", "protocol", "images", *map(_heading, columns)], lines, (0, 1))


def statistics_lines(summary: Sequence[SummaryRow]) -> tuple[list[str], list[list]]:
    """Headings and lines of a CSV file: mean, median and ends of the interval of each figure, unrounded."""
    columns = list(summary[0].figures) if summary else []
    head = [f"{name}{part}" for name in columns for part in ("", "_median", "_low", "_high")]
    lines = []
    for row in summary:
        figures = [row.figures[name] for name in columns]
        cells = [[figure.mean, figure.median, *(figure.interval or (None, None))] for figure in figures]
        lines.append([row.method, row.protocol, row.images, *(cell for part in cells for cell in part)])
    return ["method", "protocol", "images", *head], lines


def images_table(rows: Sequence[Row], columns: Sequence[str]) -> Table:
    """One line for each image, method and protocol."""
    lines = []
    for row in rows:
        values = [row.figures.get(column) for column in columns]
        lines.append([*row[:3], *(NOTHING if value is None else f"{value:.4f}" for value in values)])
    return Table(["image", "method", "protocol", *map(_heading, columns)], lines, range(3))


def markdown_report(evaluation: Evaluation) -> str:
    """Facts and notes as a list, and the table with one line for each method and protocol.

    Args:
        evaluation: see `summarise`.

    Returns:
        Markdown; each cell is mean, median and interval.
    """
    facts = [*evaluation.facts, *(("Note", note) for note in evaluation.all_notes)]
    lines = [
        [row.method, row.protocol, str(row.images), *(_whole_cell(*item) for item in row.figures.items())]
        for row in evaluation.summary
    ]
    head = ["method", "protocol", "images", *map(_heading, evaluation.columns)]
    return "\n\n".join(
        [
            markdown_list(facts),
            f"Each cell: mean (median) [95 %]; {evaluation.intervals}.",
            markdown_table(Table(head, lines, (0, 1))),
        ]
    )


def _heading(column: str) -> str:
    """A figure's name, with the direction that is better."""
    return _COLUMNS[column][0]


def _cell(figure: Statistic, statistic: str, column: str) -> str:
    decimals = _COLUMNS[column][1]
    if statistic == "95 %":
        return (
            NOTHING if figure.interval is None else "–".join(f"{end:.{decimals}f}" for end in figure.interval)
        )
    value = figure.mean if statistic == "mean" else figure.median
    return NOTHING if value is None else f"{value:.{decimals}f}"


def _whole_cell(column: str, figure: Statistic) -> str:
    mean, median, interval = (_cell(figure, statistic, column) for statistic in _STATISTICS)
    return f"{mean} ({median}) [{interval}]" if figure.interval else f"{mean} ({median})"
