"""`summary.json`, `per_image.csv` and `report.html`."""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Sequence
from pathlib import Path

from kind.evaluation.cases import ERROR_RANGE, Case, draw_cases
from kind.evaluation.methods import Method, Sample
from kind.evaluation.summary import Evaluation
from kind.files import atomic_write
from kind.reports import page
from kind.reports.results import json_ready
from kind.reports.table import WORDS, cells, heading, headings

_TITLE = "Enhancement, scored"


def write_all(
    folder: Path, evaluation: Evaluation, methods: Sequence[Method], samples: Sequence[Sample]
) -> None:
    """Writes the three files, and the pictures of the report into `pictures/`.

    Args:
        folder: where they go.
        evaluation: what they tell.
        methods: all, to make the pictures' outputs again.
        samples: all.
    """
    write_summary(folder / "summary.json", evaluation)
    write_per_image(folder / "per_image.csv", evaluation)
    cases = draw_cases(evaluation.rows, methods, samples, folder / "pictures")
    write_html(folder / "report.html", evaluation, cases)


def write_summary(path: Path, evaluation: Evaluation) -> None:
    """Writes `summary.json`: facts, notes, statistics, failures; infinities as "inf"."""
    content = {
        "title": _TITLE,
        "facts": dict(evaluation.facts),
        "notes": evaluation.all_notes,
        "table": [
            {
                "method": row.method,
                "protocol": row.protocol,
                "images": row.images,
                "figures": {column: figure._asdict() for column, figure in row.figures.items()},
            }
            for row in evaluation.summary
        ],
        "failures": [failure._asdict() for failure in evaluation.failures],
    }
    with atomic_write(path) as temporary:
        text = json.dumps(json_ready(content), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", **page.TEXT)


def write_per_image(path: Path, evaluation: Evaluation) -> None:
    """Writes `per_image.csv`: one line for each image, method and protocol; undefined figures are empty."""
    figures = list(dict.fromkeys([*evaluation.columns, "alpha", "seconds"]))
    with atomic_write(path) as temporary, temporary.open("w", newline="", **page.TEXT) as file:
        writer = csv.writer(file)
        writer.writerow(["image", "method", "protocol", *figures])
        for row in evaluation.rows:
            values = [row.figures.get(name) for name in figures]
            writer.writerow([row.image, row.method, row.protocol, *("" if v is None else v for v in values)])


def write_html(path: Path, evaluation: Evaluation, cases: Sequence[Case]) -> None:
    """Writes `report.html`, which needs nothing but the pictures beside it."""
    summary = evaluation.summary
    parts = [
        page.fact_list(evaluation.facts),
        *map(page.note_box, evaluation.all_notes),
        page.table(headings(summary), cells(summary), WORDS) if summary else "",
        "<p>95 %: bootstrap interval of the mean over images.</p>",
        page.left_out_box([f"{failure.image}: {failure.reason}" for failure in evaluation.failures]),
        *_cases(cases, path.parent),
        _per_image(evaluation),
    ]
    page.write_page(path, _TITLE, parts)


def _cases(cases: Sequence[Case], base: Path) -> list[str]:
    parts = []
    group = None
    for case in cases:
        if group != (case.row.method, case.row.protocol):
            group = (case.row.method, case.row.protocol)
            parts.append(f"<h2>{html.escape(' · '.join(group))}</h2>")
        value = case.row.figures[case.by]
        title = f"{case.label} by {case.by.upper()}: {case.row.image} ({value:.2f})"
        pictures = [(name, _caption(name), picture) for name, picture in case.pictures]
        parts.append(page.picture_row(title, pictures, base))
    return parts


def _caption(name: str) -> str:
    return f"error map, black 0 to white {ERROR_RANGE:g}" if name == "error" else name


def _per_image(evaluation: Evaluation) -> str:
    head = ["image", "method", "protocol", *map(heading, evaluation.columns)]
    lines = []
    for row in evaluation.rows:
        values = [row.figures.get(column) for column in evaluation.columns]
        lines.append([*row[:3], *("–" if value is None else f"{value:.4f}" for value in values)])
    table = page.table(head, lines, words=range(3), ruled=False)
    return page.folded(f"every image ({len(lines)} lines)", table)
