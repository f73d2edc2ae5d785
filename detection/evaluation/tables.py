"""The tables of an evaluation, cell by cell, for terminal, Markdown and page alike."""

from __future__ import annotations

from collections.abc import Sequence

from kind.detection.evaluation.figures import (
    COLUMNS,
    SURE,
    Difference,
    ImageFigures,
    Interval,
    Line,
    Means,
    means_over,
)
from kind.detection.evaluation.summary import Evaluation
from kind.reports.table import NOTHING, Table


def figures_table(lines: Sequence[Line]) -> Table:
    """One line for each method: every figure, those of `SURE` with their intervals."""
    head = ["detector", "input"]
    for key, name in COLUMNS.items():
        head += [f"{name} ↑", "95 %"] if key in SURE else [f"{name} ↑"]
    rows = []
    for line in lines:
        row = [line.method.detector, line.method.input]
        for key, value in line.figures.items():
            row += [_figure(value), _interval(line.intervals[key])] if key in SURE else [_figure(value)]
        rows.append(row)
    return Table(head, rows, range(2))


def figures_lines(lines: Sequence[Line]) -> tuple[list[str], list[list]]:
    """The same for a CSV file, unrounded: headings, and a line for each method."""
    ends = [f"{key}{end}" for key in SURE for end in ("_low", "_high")]
    rows = []
    for line in lines:
        intervals = [line.intervals[key] or (None, None) for key in SURE]
        figures = [line.figures[key] for key in COLUMNS]
        rows.append([*line.method[:2], *figures, *(end for interval in intervals for end in interval)])
    return ["detector", "input", *COLUMNS, *ends], rows


def differences_table(lines: Sequence[Line]) -> Table:
    """One line for each method but the first: how much better it is than the first, on the same images."""
    head = ["detector", "input"]
    for key in SURE:
        head += [f"{COLUMNS[key]} ↑", "95 %"]
    rows = []
    for line in lines[1:]:
        row = [line.method.detector, line.method.input]
        for key in SURE:
            row += _difference(line.differences.get(key))
        rows.append(row)
    return Table(head, rows, range(2))


def classes_table(lines: Sequence[Line], class_names: Sequence[str], counts: Sequence[int]) -> Table:
    """AP50 of each class that occurs, by method, the commonest class first."""
    head = ["class", "objects", *(line.method.name for line in lines)]
    order = sorted(range(len(class_names)), key=lambda label: (-counts[label], label))
    rows = [
        [class_names[label], str(counts[label]), *(_figure(line.by_class[label][1]) for line in lines)]
        for label in order
        if counts[label]
    ]
    return Table(head, rows, range(1))


def class_groups(evaluation: Evaluation) -> dict[str, list[int]]:
    """The numbers of the old and of the new classes; nothing where that is no question."""
    if not evaluation.old_classes:
        return {}
    old = [number for number, name in enumerate(evaluation.class_names) if name in evaluation.old_classes]
    new = [number for number in range(len(evaluation.class_names)) if number not in old]
    return {"old": old, "new": new}


def groups_table(evaluation: Evaluation) -> Table:
    """One line for each method: means over the old and over the new classes; no line where there are none."""
    groups = class_groups(evaluation)
    head = ["detector", "input"]
    head += [f"{COLUMNS[key]} {group} ↑" for group in groups for key in Means._fields]
    rows = [
        [
            *line.method[:2],
            *(_figure(value) for group in groups.values() for value in means_over(line, group)),
        ]
        for line in evaluation.lines
        if groups
    ]
    return Table(head, rows, range(2))


def images_table(evaluation: Evaluation) -> Table:
    """One line for each image and method."""
    rows = []
    for line, figures in zip(evaluation.lines, evaluation.image_figures):
        for sample, entry in zip(evaluation.search.samples, figures):
            f1 = NOTHING if entry.f1 is None else f"{entry.f1:.3f}"
            rows.append([sample.name, *line.method[:2], *map(str, entry[:3]), f1])
    return Table(["image", "detector", "input", *ImageFigures._fields], rows, range(3))


def _figure(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _interval(ends: Interval | None) -> str:
    return NOTHING if ends is None else "–".join(f"{end:.3f}" for end in ends)


def _difference(difference: Difference | None) -> list[str]:
    if difference is None:
        return [NOTHING, NOTHING]
    ends = difference.interval
    return [f"{difference.value:+.3f}", " to ".join(f"{end:+.3f}" for end in ends) if ends else NOTHING]
