"""Means, medians and intervals over images, and the notes of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.evaluation.run import Failure, Row
from kind.reports.bootstrap import FEWEST_IMAGES, bootstrap_interval, interval_note


class Statistic(NamedTuple):
    """One figure over images.

    Attributes:
        images: how many have it.
        mean: None when none has it.
        median: likewise.
        interval: the bootstrap 95 % interval of the mean, None with fewer than `FEWEST_IMAGES` images.
    """

    images: int
    mean: float | None
    median: float | None
    interval: tuple[float, float] | None


class SummaryRow(NamedTuple):
    """One method under one protocol; `figures` by column."""

    method: str
    protocol: str
    images: int
    figures: dict[str, Statistic]


class Evaluation(NamedTuple):
    """The content of a report.

    Attributes:
        facts: name and value: data, split, number of images, definitions, weights, models.
        notes: what a reader must know before quoting a figure.
        columns: keys of the figures, in order.
        summary: one row for each method and protocol.
        rows: one for each image, method and protocol.
        failures: images left out.
    """

    facts: Sequence[tuple[str, str]]
    notes: Sequence[str]
    columns: Sequence[str]
    summary: Sequence[SummaryRow]
    rows: Sequence[Row]
    failures: Sequence[Failure]

    @property
    def intervals(self) -> str:
        """What the intervals in the tables are, or why there are none."""
        images = max((row.images for row in self.summary), default=0)
        return interval_note(images, "bootstrap interval of the mean over images")

    @property
    def all_notes(self) -> list[str]:
        """The notes, and what is missing from the table."""
        notes = [*self.notes, *_undefined(self.summary, self.columns)]
        for method in dict.fromkeys(failure.method for failure in self.failures):
            images = ", ".join(failure.image for failure in self.failures if failure.method == method)
            of = f" of {method}, whose figures do not compare with those over all images" if method else ""
            notes.append(f"left out{of}, because they could not be scored: {images}")
        return notes


def summarise(rows: Sequence[Row], columns: Sequence[str]) -> list[SummaryRow]:
    """One line for each method and protocol, in the order of the rows.

    Args:
        rows: one for each image, method and protocol.
        columns: the figures to summarise.

    Returns:
        Statistics; a column that no image has is there with None.
    """
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.method, row.protocol), []).append(row)
    return [
        SummaryRow(method, protocol, len(group), {column: _statistic(group, column) for column in columns})
        for (method, protocol), group in groups.items()
    ]


def _undefined(summary: Sequence[SummaryRow], columns: Sequence[str]) -> list[str]:
    """Where a figure is over fewer images than its row, in one line when that is so in every row."""
    notes = []
    for column in columns:
        counts = [(row.figures[column].images, row.images) for row in summary]
        everywhere = len(set(counts)) == 1
        for row, (images, total) in list(zip(summary, counts))[: 1 if everywhere else None]:
            if images < total:
                of = "" if everywhere else f" of {row.method}, {row.protocol}"
                notes.append(
                    f"{column.upper()}{of}: over {images} of {total} images; on the others it is not defined "
                    "(too small, no texture)"
                )
    return notes


def _statistic(rows: Sequence[Row], column: str) -> Statistic:
    values = [value for row in rows if (value := row.figures.get(column)) is not None]
    if not values:
        return Statistic(0, None, None, None)
    interval = bootstrap_interval(values) if len(values) >= FEWEST_IMAGES else None
    return Statistic(len(values), float(np.mean(values)), float(np.median(values)), interval)
