"""Writes `summary.json`, `per_image.csv` and `report.html`, and makes the report as text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kind.detection.evaluation.cases import Case, draw_cases
from kind.detection.evaluation.figures import COLUMNS, ImageFigures, Line, means_over
from kind.detection.evaluation.plots import Plot, draw_plots
from kind.detection.evaluation.search import Inputs
from kind.detection.evaluation.summary import Evaluation
from kind.detection.evaluation.tables import (
    class_groups,
    classes_table,
    differences_table,
    figures_table,
    groups_table,
    images_table,
)
from kind.reports.bootstrap import interval_note
from kind.reports.cases import remove_others
from kind.reports.page import write_page
from kind.reports.table import escaped, markdown_list, markdown_table, text_table
from kind.reports.writing import write_csv, write_json

IMAGE_COLUMNS = ["image", "detector", "input", "confidence", *ImageFigures._fields]

SUMMARY_FILE, TABLE_FILE, PAGE_FILE = "summary.json", "per_image.csv", "report.html"

_TITLE = "Detection, scored"
_DIFFERENCES = "the same images, drawn together; an interval without 0 is a difference"
_GROUPS = "Means over old and new classes"
_TEMPLATE = Path(__file__).with_name("report.html")


def write_all(folder: Path, evaluation: Evaluation, inputs: Inputs) -> list[Path]:
    """Writes the three files, and the pictures of the report into `pictures/`.

    Args:
        folder: where they go.
        evaluation: what they tell.
        inputs: makes the pictures' inputs again.

    Returns:
        The files.

    Raises:
        UserError: when one cannot be written.
    """
    write_summary(folder / SUMMARY_FILE, evaluation)
    write_per_image(folder / TABLE_FILE, evaluation)
    pictures = folder / "pictures"
    cases, plots = draw_cases(evaluation, inputs, pictures), draw_plots(evaluation, pictures)
    used = [path for case in cases for _, path in case.pictures]
    remove_others(pictures, [*used, *(path for *_, path in plots)])
    write_html(folder / PAGE_FILE, evaluation, cases, plots)
    return [folder / name for name in (PAGE_FILE, TABLE_FILE, SUMMARY_FILE)]


def write_summary(path: Path, evaluation: Evaluation) -> None:
    """Writes `summary.json`: facts, notes, every figure; null where one is not defined."""
    content = {
        "title": _TITLE,
        "facts": dict(evaluation.facts),
        "notes": list(evaluation.notes),
        "images": len(evaluation.search.samples),
        "objects": sum(evaluation.counts),
        "table": [_summary_line(line, evaluation) for line in evaluation.lines],
        "left_out": [entry._asdict() for entry in evaluation.search.left_out],
    }
    write_json(path, content)


def write_per_image(path: Path, evaluation: Evaluation) -> None:
    """Writes `per_image.csv`; see `lines_by_image`."""
    write_csv(path, IMAGE_COLUMNS, lines_by_image(evaluation))


def lines_by_image(evaluation: Evaluation) -> list[list[Any]]:
    """One line for each image and method, under `IMAGE_COLUMNS`."""
    return [
        [sample.name, line.method.detector, line.method.input, evaluation.confidence, *entry]
        for line, figures in zip(evaluation.lines, evaluation.image_figures)
        for sample, entry in zip(evaluation.search.samples, figures)
    ]


def write_html(path: Path, evaluation: Evaluation, cases: Sequence[Case], plots: Sequence[Plot]) -> None:
    """Writes `report.html`, which needs nothing but the pictures beside it."""
    write_page(
        path,
        _TEMPLATE,
        title=_TITLE,
        evaluation=evaluation,
        cases=cases,
        plots=plots,
        links={case.image: case.pictures[-1][1] for case in reversed(cases) if case.pictures},
        figures=figures_table(evaluation.lines),
        differences=differences_table(evaluation.lines),
        classes=classes_table(evaluation.lines, evaluation.class_names, evaluation.counts),
        groups=groups_table(evaluation),
        groups_title=_GROUPS,
        images=images_table(evaluation),
        intervals=_intervals(evaluation),
        better_than=_better_than(evaluation),
        explanation=_DIFFERENCES,
    )


def text_report(evaluation: Evaluation) -> str:
    """What a terminal shows: facts, notes and the tables of all classes together."""
    parts = [f"{name}: {value}" for name, value in evaluation.facts]
    parts += [f"NOTE: {note}" for note in evaluation.notes]
    parts += ["", text_table(figures_table(evaluation.lines)), "", _intervals(evaluation)]
    if len(evaluation.lines) > 1:
        parts += ["", f"{_better_than(evaluation)} ({_DIFFERENCES}):", ""]
        parts.append(text_table(differences_table(evaluation.lines)))
    if evaluation.old_classes:
        parts += ["", f"{_GROUPS}:", "", text_table(groups_table(evaluation))]
    return "\n".join(parts)


def markdown_report(evaluation: Evaluation) -> str:
    """The same for a document."""
    facts = [*evaluation.facts, *(("Note", note) for note in evaluation.notes)]
    parts = [markdown_list(facts)]
    parts += ["", markdown_table(figures_table(evaluation.lines)), "", f"{_intervals(evaluation)}."]
    if len(evaluation.lines) > 1:
        parts += ["", f"{escaped(_better_than(evaluation))} ({_DIFFERENCES}):", ""]
        parts.append(markdown_table(differences_table(evaluation.lines)))
    if evaluation.old_classes:
        parts += ["", f"{_GROUPS}:", "", markdown_table(groups_table(evaluation))]
    return "\n".join(parts)


def _intervals(evaluation: Evaluation) -> str:
    return interval_note(len(evaluation.search.samples), "bootstrap interval over images")


def _better_than(evaluation: Evaluation) -> str:
    return f"Better than {evaluation.lines[0].method.name} by"


def _summary_line(line: Line, evaluation: Evaluation) -> dict[str, Any]:
    by_class = {
        name: {"objects": int(count), "map": whole, "map_50": half}
        for name, count, (whole, half) in zip(evaluation.class_names, evaluation.counts, line.by_class)
    }
    groups = class_groups(evaluation).items()
    means = {f"{name}_classes": means_over(line, group)._asdict() for name, group in groups}
    return {
        "detector": line.method.detector,
        "input": line.method.input,
        "figures": {key: line.figures[key] for key in COLUMNS},
        "intervals": line.intervals,
        "differences": {key: value._asdict() for key, value in line.differences.items()},
        "by_class": by_class,
        **means,
    }
