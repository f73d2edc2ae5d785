"""Figures of methods over pairs, with bootstrap intervals, and their differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kind.detection.change.evaluation.scoring import Scored
from kind.metrics.binary_masks import Counts, MaskFigures, figures_of, resampled_totals, total_of
from kind.reports.bootstrap import FEWEST_IMAGES, RESAMPLES, percentile_interval
from kind.reports.table import NOTHING, Table

COLUMNS = {
    "f1": "F1",
    "iou": "IoU",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
    "kappa": "κ",
}
_HEAD = ("light", "network", "input")
_SURE = ("f1", "iou")

Interval = tuple[float, float]


class Line(NamedTuple):
    """One method under one light.

    Attributes:
        scored: what it found.
        figures: over the pixels of all pairs.
        intervals: of F1 and IoU, over pairs; None of few pairs.
        difference: in F1 to the first method under the same light; None of itself.
        difference_interval: the same pairs drawn for both; None of few pairs.
    """

    scored: Scored
    figures: MaskFigures
    intervals: dict[str, Interval | None]
    difference: float | None = None
    difference_interval: Interval | None = None


def summarise(scored: Sequence[Scored]) -> list[Line]:
    """One line for each entry; each is compared with the first one under its light."""
    first: dict[str, Scored] = {}
    return [_line(one, first.setdefault(one.lighting, one)) for one in scored]


def _line(one: Scored, first: Scored) -> Line:
    figures = figures_of(total_of(one.counts))
    if one is first:
        return Line(one, figures, _intervals(one.counts))
    difference = figures.f1 - figures_of(total_of(first.counts)).f1
    interval = None
    if len(one.counts) >= FEWEST_IMAGES:
        drawn = [figures_of(resampled_totals(counts, RESAMPLES)).f1 for counts in (one.counts, first.counts)]
        interval = _interval(drawn[0] - drawn[1])
    return Line(one, figures, _intervals(one.counts), difference, interval)


def _intervals(counts: Sequence[Counts]) -> dict[str, Interval | None]:
    if len(counts) < FEWEST_IMAGES:
        return dict.fromkeys(_SURE)
    drawn = figures_of(resampled_totals(counts, RESAMPLES))
    return {name: _interval(getattr(drawn, name)) for name in _SURE}


def _interval(samples: np.ndarray) -> Interval | None:
    return None if np.isnan(samples).all() else percentile_interval(samples)


def figures_table(lines: Sequence[Line]) -> Table:
    """One row for each line: every figure, those of `_SURE` with their intervals."""
    head = list(_HEAD)
    for key, name in COLUMNS.items():
        head += [f"{name} ↑", "95 %"] if key in _SURE else [f"{name} ↑"]
    rows = []
    for line in lines:
        row = _names(line)
        for key in COLUMNS:
            row.append(_text(getattr(line.figures, key)))
            row += [_ends(line.intervals[key])] if key in _SURE else []
        rows.append(row)
    return Table(head, rows, range(len(_HEAD)))


def differences_table(lines: Sequence[Line]) -> Table:
    """How much better than the first network each other one is, light by light."""
    rows = [
        [*_names(line), f"{line.difference:+.3f}", _ends(line.difference_interval, "+.3f", " to ")]
        for line in lines
        if line.difference is not None
    ]
    return Table([*_HEAD, "F1 ↑", "95 %"], rows, range(len(_HEAD)))


def figures_lines(lines: Sequence[Line]) -> tuple[list[str], list[list]]:
    """The figures for a CSV file, unrounded: headings, and a row for each line."""
    ends = [f"{key}_{end}" for key in _SURE for end in ("low", "high")]
    rows = []
    for line in lines:
        intervals = [line.intervals[key] or (None, None) for key in _SURE]
        flat = [end for interval in intervals for end in interval]
        rows.append([*_names(line), *line.figures, *flat])
    return [*_HEAD, *COLUMNS, *ends], rows


def pairs_lines(lines: Sequence[Line]) -> tuple[list[str], list[list]]:
    """The same pair by pair, with the numbers of pixels; a cell is empty where a figure is not defined."""
    rows = []
    for line in lines:
        for name, counts in zip(line.scored.names, line.scored.counts):
            figures = [None if np.isnan(figure) else figure for figure in figures_of(counts)]
            rows.append([name, *_names(line), *counts, *figures])
    return ["pair", *_HEAD, *Counts._fields, *COLUMNS], rows


def json_lines(lines: Sequence[Line]) -> list[dict]:
    """The lines as JSON has them."""
    return [
        {
            **dict(zip(_HEAD, _names(line))),
            "pairs": len(line.scored.counts),
            "figures": line.figures._asdict(),
            "intervals": line.intervals,
            "difference": line.difference,
            "difference_interval": line.difference_interval,
        }
        for line in lines
    ]


def _names(line: Line) -> list[str]:
    return [line.scored.lighting, line.scored.method.name, line.scored.method.input]


def _text(value: float) -> str:
    return NOTHING if np.isnan(value) else f"{value:.3f}"


def _ends(interval: Interval | None, form: str = ".3f", between: str = "–") -> str:
    return NOTHING if interval is None else between.join(format(end, form) for end in interval)
