"""Runs under different settings, by row: mean and spread over seeds, and differences to the first row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from kind.files import atomic_write
from kind.reports.table import NOTHING, Table


class Row(NamedTuple):
    """One row of an ablation.

    Attributes:
        name: digits of the switches.
        settings: the values of the switches, in their order.
        scores: of each seed, in the same order in all rows.
        seconds: that a run took, mean over seeds; None where it is not recorded.
    """

    name: str
    settings: tuple[str, ...]
    scores: tuple[float, ...]
    seconds: float | None

    @property
    def mean(self) -> float:
        """Over seeds."""
        return float(np.mean(self.scores))

    @property
    def spread(self) -> float | None:
        """Standard deviation over seeds, of a sample; None with one seed."""
        return float(np.std(self.scores, ddof=1)) if len(self.scores) > 1 else None


class Difference(NamedTuple):
    """Of a row to the first one: mean over seeds, and its 95 % interval (None with one seed)."""

    mean: float
    interval: tuple[float, float] | None


def difference(row: Row, first: Row) -> Difference:
    """Compares a row with another, seed by seed.

    The interval is Student's, of paired differences: seeds are few, and a bootstrap of few is too narrow.
    """
    each = np.subtract(row.scores, first.scores)
    mean, count = float(np.mean(each)), len(each)
    if count < 2:
        return Difference(mean, None)

    from scipy.stats import t  # takes half a second to import

    reach = float(t.ppf(0.975, count - 1) * np.std(each, ddof=1) / np.sqrt(count))
    return Difference(mean, (mean - reach, mean + reach))


def ablation_table(switches: Sequence[str], score: str, rows: Sequence[Row]) -> Table:
    """One line for each row: digits, settings, score, difference to the first row, minutes of a run."""
    head = [
        f"row ({' '.join(switches)})",
        *switches,
        f"{score}",
        "± over seeds",
        "difference",
        "95 %",
        "minutes",
    ]
    lines = []
    for number, row in enumerate(rows):
        cells = [NOTHING, NOTHING]
        if number:
            found = difference(row, rows[0])
            interval = " to ".join(f"{end:+.3f}" for end in found.interval) if found.interval else NOTHING
            cells = [f"{found.mean:+.3f}", interval]
        spread = NOTHING if row.spread is None else f"{row.spread:.3f}"
        minutes = NOTHING if row.seconds is None else f"{row.seconds / 60:.1f}"
        lines.append([row.name, *row.settings, f"{row.mean:.3f}", spread, *cells, minutes])
    return Table(head, lines, range(len(switches) + 1))


def as_records(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """All figures unrounded, for JSON."""
    return [
        {
            **row._asdict(),
            "mean": row.mean,
            "spread": row.spread,
            "difference": difference(row, rows[0])._asdict(),
        }
        for row in rows
    ]


def as_csv(switches: Sequence[str], score: str, rows: Sequence[Row]) -> tuple[list[str], list[list[Any]]]:
    """Headings and lines, unrounded; the first row has no difference, and one seed no spread or interval."""
    head = ["row", *switches, f"{score} mean", "spread", "difference", "low", "high", "seconds"]
    lines = []
    for number, row in enumerate(rows):
        mean, interval = difference(row, rows[0]) if number else (None, None)
        ends = interval or (None, None)
        lines.append([row.name, *row.settings, row.mean, row.spread, mean, *ends, row.seconds])
    return head, lines


def draw_rows(score: str, rows: Sequence[Row], path: Path) -> None:
    """Draws the mean of each row with its spread, and each seed as a point."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 0.6 + 0.4 * max(len(rows), 3)))
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(rows))
    axes.errorbar(
        [row.mean for row in rows],
        list(places),
        xerr=[row.spread or 0.0 for row in rows],
        fmt="D",
        capsize=3,
        color="C0",
    )
    for place, row in zip(places, rows):
        axes.plot(row.scores, [place] * len(row.scores), ".", color="C1", alpha=0.7)
    axes.axvline(rows[0].mean, color="0.7", linewidth=1, zorder=0)
    names = [f"{row.name}  ({', '.join(row.settings)})" for row in rows]
    axes.set_yticks(list(places), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(score)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png", bbox_inches="tight")
