"""Means, medians and intervals over images, and what is to be said with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.evaluation.run import Failure, Row
from kind.metrics.bootstrap import bootstrap_interval


class Statistic(NamedTuple):
    """One figure over images.

    Attributes:
        images: how many have it.
        mean: None when none has it.
        median: likewise.
        interval: the bootstrap 95 % interval of the mean, None with fewer than two images.
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
    """Everything that a report tells.

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
    def all_notes(self) -> list[str]:
        """The notes, and what is missing from the table."""
        notes = [*self.notes]
        for row in self.summary:
            for column, figure in row.figures.items():
                if figure.images < row.images and column in ("niqe", "lpips"):
                    notes.append(
                        f"{column.upper()} of {row.method}, {row.protocol}: over {figure.images} of "
                        f"{row.images} images; on the others it is not defined (too small, no texture)"
                    )
        if self.failures:
            images = sorted({failure.image for failure in self.failures})
            notes.append(f"left out, because they could not be scored: {', '.join(images)}")
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


def _statistic(rows: Sequence[Row], column: str) -> Statistic:
    values = [value for row in rows if (value := row.figures.get(column)) is not None]
    if not values:
        return Statistic(0, None, None, None)
    interval = bootstrap_interval(values) if len(values) > 1 else None
    return Statistic(len(values), float(np.mean(values)), float(np.median(values)), interval)
