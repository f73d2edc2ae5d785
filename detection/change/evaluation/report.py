"""Writes `summary.json`, `per_pair.csv` and `report.html`, and makes the report as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kind.detection.change.evaluation.scoring import Scored, Set
from kind.detection.change.evaluation.summary import (
    Line,
    differences_table,
    figures_table,
    json_lines,
    pairs_lines,
)
from kind.detection.change.stage import draw_verdict
from kind.metrics.binary_masks import figures_of
from kind.reports.bootstrap import interval_note
from kind.reports.cases import choose_cases, remove_others, write_picture
from kind.reports.page import write_page
from kind.reports.table import markdown_list, markdown_table, text_table
from kind.reports.writing import write_csv, write_json

_TITLE = "Change detection, scored"
_TEMPLATE = Path(__file__).with_name("report.html")
_DIFFERENCES = "the same pairs, drawn together; an interval without 0 is a difference"


class Report(NamedTuple):
    """What is told.

    Attributes:
        facts: name and value: data, networks, definitions.
        lines: of each light and network.
        threshold: of the probability of a change.
    """

    facts: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    threshold: float

    @property
    def intervals(self) -> str:
        """What the intervals are."""
        return interval_note(
            min(len(line.scored.counts) for line in self.lines), "bootstrap interval over pairs"
        )

    @property
    def better_than(self) -> str:
        """Heading of the differences."""
        return f"Better than {self.lines[0].scored.method.name} by"


def write_all(folder: Path, report: Report, sets: Sequence[Set]) -> list[Path]:
    """Writes the three files, and pictures of the worst, the median and the best pair into `pictures/`.

    Args:
        folder: where they go.
        report: what they tell.
        sets: the pairs, of which the pictures are made again.

    Returns:
        The files.

    Raises:
        UserError: when one cannot be written.
    """
    files = [folder / name for name in ("report.html", "per_pair.csv", "summary.json")]
    content = {"title": _TITLE, "facts": dict(report.facts), "threshold": report.threshold}
    write_json(files[2], {**content, "table": json_lines(report.lines)})
    write_csv(files[1], *pairs_lines(report.lines))
    pictures = folder / "pictures"
    cases = draw_cases(report, sets, pictures)
    remove_others(pictures, [path for _, entries in cases for *_, path in entries])
    write_page(
        files[0],
        _TEMPLATE,
        title=_TITLE,
        report=report,
        figures=figures_table(report.lines),
        differences=differences_table(report.lines),
        explanation=_DIFFERENCES,
        cases=cases,
    )
    return files


def draw_cases(
    report: Report, sets: Sequence[Set], folder: Path
) -> list[tuple[str, list[tuple[str, str, Path]]]]:
    """Draws the chosen pairs of each light and network: titles, and (alternative text, caption, file)."""
    wanted: dict[tuple[str, int], list[tuple[int, str, Scored]]] = {}
    for number, line in enumerate(report.lines, start=1):
        for label, place in choose_cases(_ranked(line.scored)):
            wanted.setdefault((line.scored.lighting, place), []).append((number, label, line.scored))
    drawn = {}
    for one in sets:
        for place, sample in enumerate(one.pairs):
            for number, label, scored in wanted.get((one.lighting, place), ()):
                dates = [sample[key][0].numpy() for key in ("before", "after")]
                found = scored.method.find(*dates) > report.threshold
                true = sample["label"][0, ..., 0].numpy() > 0.5
                figures = figures_of(scored.counts[place])
                title = f"{scored.lighting}, {scored.method.name}: {label} by F1: {one.names[place]}"
                shown = {"before": dates[0], "after": dates[1], "found": draw_verdict(found, true)}
                entries = []
                for caption, pixels in shown.items():
                    path = folder / f"case-{number}-{label}-{caption}.jpg"
                    write_picture(path, pixels)
                    entries.append((f"{caption}: {one.names[place]}", caption, path))
                order = (number, ("worst", "median", "best").index(label))
                drawn[order] = (f"{title} ({figures.f1:.2f})", entries)
    return [drawn[order] for order in sorted(drawn)]


def _ranked(scored: Scored) -> list[int]:
    """Pairs by F1, the worst first; those in which nothing has changed and nothing was found are left out."""
    values = [figures_of(counts).f1 for counts in scored.counts]
    return sorted(
        (place for place, f1 in enumerate(values) if not np.isnan(f1)), key=lambda p: (values[p], p)
    )


def text_report(report: Report) -> str:
    """What a terminal shows."""
    parts = [f"{name}: {value}" for name, value in report.facts]
    parts += ["", text_table(figures_table(report.lines)), "", report.intervals]
    differences = differences_table(report.lines)
    if differences.lines:
        parts += ["", f"{report.better_than} ({_DIFFERENCES}):", "", text_table(differences)]
    return "\n".join(parts)


def markdown_report(report: Report) -> str:
    """The same for a document."""
    parts = [markdown_list(report.facts), "", markdown_table(figures_table(report.lines)), ""]
    parts.append(f"{report.intervals}.")
    differences = differences_table(report.lines)
    if differences.lines:
        parts += ["", f"{report.better_than} ({_DIFFERENCES}):", "", markdown_table(differences)]
    return "\n".join(parts)
