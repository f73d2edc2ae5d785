"""`summary.json`, `per_image.csv`, `report.html`, and the same as text."""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kind.detection.evaluation.cases import Case, draw_cases
from kind.detection.evaluation.figures import COLUMNS, ImageFigures, Line
from kind.detection.evaluation.search import Inputs
from kind.detection.evaluation.summary import Evaluation
from kind.detection.evaluation.tables import Table, classes_table, differences_table, figures_table, markdown
from kind.files import atomic_write
from kind.reports import page
from kind.reports.table import aligned_table, escaped

SUMMARY_FILE, TABLE_FILE, PAGE_FILE = "summary.json", "per_image.csv", "report.html"

_TITLE = "Detection, scored"
_INTERVALS = "95 %: bootstrap interval over images"
_DIFFERENCES = "the same images, drawn together; an interval without 0 is a difference"
_COLOURS = "Purple: what is there. Green: found. Yellow: wrong. Grey: found something that does not count."


def write_all(folder: Path, evaluation: Evaluation, inputs: Inputs) -> list[Path]:
    """Writes the three files, and the pictures of the report into `pictures/`.

    Args:
        folder: where they go.
        evaluation: what they tell.
        inputs: makes the pictures' inputs again.

    Returns:
        The files.

    Raises:
        OSError: when one cannot be written.
    """
    write_summary(folder / SUMMARY_FILE, evaluation)
    write_per_image(folder / TABLE_FILE, evaluation)
    write_html(folder / PAGE_FILE, evaluation, draw_cases(evaluation, inputs, folder / "pictures"))
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
    with atomic_write(path) as temporary:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", **page.TEXT)


def write_per_image(path: Path, evaluation: Evaluation) -> None:
    """Writes `per_image.csv`: one line for each image and method."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", **page.TEXT) as file:
        writer = csv.writer(file)
        writer.writerow(["image", "detector", "input", "confidence", *ImageFigures._fields])
        for line, figures in zip(evaluation.lines, evaluation.image_figures):
            for sample, entry in zip(evaluation.search.samples, figures):
                first = [sample.name, line.method.detector, line.method.input, evaluation.confidence]
                writer.writerow([*first, *("" if value is None else value for value in entry)])


def write_html(path: Path, evaluation: Evaluation, cases: Sequence[Case]) -> None:
    """Writes `report.html`, which needs nothing but the pictures beside it."""
    parts = [
        page.fact_list(evaluation.facts),
        *map(page.note_box, evaluation.notes),
        _html_table(figures_table(evaluation.lines)),
        f"<p>{_INTERVALS}.</p>",
    ]
    if len(evaluation.lines) > 1:
        parts += [f"<h2>{html.escape(_better_than(evaluation))}</h2>", f"<p>{_DIFFERENCES}.</p>"]
        parts.append(_html_table(differences_table(evaluation.lines)))
    by_class = classes_table(evaluation.lines, evaluation.class_names, evaluation.counts)
    parts += ["<h2>AP50 by class</h2>", _html_table(by_class)]
    left_out = [f"{entry.image}: {entry.reason}" for entry in evaluation.search.left_out]
    parts += [page.left_out_box(left_out), *_cases(cases, evaluation.confidence, path.parent)]
    page.write_page(path, _TITLE, [*parts, _per_image(evaluation)])


def text_report(evaluation: Evaluation) -> str:
    """What a terminal shows: facts, notes and the tables of all classes together."""
    parts = [f"{name}: {value}" for name, value in evaluation.facts]
    parts += [f"NOTE: {note}" for note in evaluation.notes]
    parts += ["", _text_table(figures_table(evaluation.lines)), "", _INTERVALS]
    if len(evaluation.lines) > 1:
        parts += ["", f"{_better_than(evaluation)} ({_DIFFERENCES}):", ""]
        parts.append(_text_table(differences_table(evaluation.lines)))
    return "\n".join(parts)


def markdown_report(evaluation: Evaluation) -> str:
    """The same for a document."""
    facts = [*evaluation.facts, *(("Note", note) for note in evaluation.notes)]
    parts = [f"- {escaped(name)}: {escaped(value)}" for name, value in facts]
    parts += ["", markdown(figures_table(evaluation.lines)), "", f"{_INTERVALS}."]
    if len(evaluation.lines) > 1:
        parts += ["", f"{escaped(_better_than(evaluation))} ({_DIFFERENCES}):", ""]
        parts.append(markdown(differences_table(evaluation.lines)))
    return "\n".join(parts)


def _better_than(evaluation: Evaluation) -> str:
    return f"Better than {evaluation.lines[0].method.name} by"


def _summary_line(line: Line, evaluation: Evaluation) -> dict[str, Any]:
    by_class = {
        name: {"objects": int(count), "map": whole, "map_50": half}
        for name, count, (whole, half) in zip(evaluation.class_names, evaluation.counts, line.by_class)
    }
    return {
        "detector": line.method.detector,
        "input": line.method.input,
        "figures": {key: line.figures[key] for key in COLUMNS},
        "intervals": line.intervals,
        "differences": {key: value._asdict() for key, value in line.differences.items()},
        "by_class": by_class,
    }


def _html_table(table: Table) -> str:
    return page.table(table.head, table.lines, range(table.words))


def _text_table(table: Table) -> str:
    return aligned_table([table.head, *table.lines], range(table.words))


def _cases(cases: Sequence[Case], confidence: float, base: Path) -> list[str]:
    parts = (
        [f"<h2>Images</h2><p>At confidence {confidence:g} and overlap 0.5. {_COLOURS}</p>"] if cases else []
    )
    for case in cases:
        figures = case.figures
        title = (
            f"{case.method.name}: {case.label} by F1: {case.image} ({figures.f1:.2f}; "
            f"{figures.correct} correct, {figures.wrong} wrong, {figures.missed} missed)"
        )
        pictures = [(caption, caption, path) for caption, path in case.pictures]
        parts.append(page.picture_row(title, pictures, base))
    return parts


def _per_image(evaluation: Evaluation) -> str:
    head = ["image", "detector", "input", *ImageFigures._fields]
    lines = []
    for line, figures in zip(evaluation.lines, evaluation.image_figures):
        for sample, entry in zip(evaluation.search.samples, figures):
            f1 = "–" if entry.f1 is None else f"{entry.f1:.3f}"
            lines.append([sample.name, *line.method[:2], *map(str, entry[:3]), f1])
    table = page.table(head, lines, words=range(3), ruled=False)
    return page.folded(f"every image ({len(lines)} lines)", table)
