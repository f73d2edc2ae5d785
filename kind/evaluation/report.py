"""Writes `summary.json`, `per_image.csv` and `report.html`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from kind.evaluation.cases import Case, draw_cases, draw_together
from kind.evaluation.methods import Method, Sample
from kind.evaluation.summary import Evaluation
from kind.evaluation.tables import images_table, summary_table
from kind.reports.cases import remove_others
from kind.reports.page import write_page
from kind.reports.writing import write_csv, write_json

SUMMARY_FILE, TABLE_FILE, PAGE_FILE = "summary.json", "per_image.csv", "report.html"

_TITLE = "Enhancement, scored"
_TEMPLATE = Path(__file__).with_name("report.html")


def write_all(
    folder: Path, evaluation: Evaluation, methods: Sequence[Method], samples: Sequence[Sample]
) -> list[Path]:
    """Writes the three files, and the pictures of the report into `pictures/`.

    Args:
        folder: where they go.
        evaluation: what they tell.
        methods: all, to make the pictures' outputs again.
        samples: all.

    Returns:
        The three files.

    Raises:
        UserError: when one cannot be written.
    """
    write_summary(folder / SUMMARY_FILE, evaluation)
    write_per_image(folder / TABLE_FILE, evaluation)
    pictures = folder / "pictures"
    cases = draw_cases(evaluation.rows, methods, samples, pictures)
    together = draw_together(cases, evaluation.rows, methods, samples, pictures)
    used = [path for case in cases for _, path in case.pictures]
    remove_others(pictures, [*used, *(path for _, shown in together for *_, path in shown)])
    write_html(folder / PAGE_FILE, evaluation, cases, together)
    return [folder / name for name in (PAGE_FILE, TABLE_FILE, SUMMARY_FILE)]


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
    write_json(path, content)


def write_per_image(path: Path, evaluation: Evaluation) -> None:
    """Writes `per_image.csv`: one line for each image, method and protocol; undefined figures are empty."""
    figures = list(dict.fromkeys([*evaluation.columns, "alpha", "seconds"]))
    lines = [[*row[:3], *(row.figures.get(name) for name in figures)] for row in evaluation.rows]
    write_csv(path, ["image", "method", "protocol", *figures], lines)


def write_html(
    path: Path, evaluation: Evaluation, cases: Sequence[Case], together: Sequence[tuple[str, list]] = ()
) -> None:
    """Writes `report.html`, which needs nothing but the pictures beside it; `together` of `draw_together`."""
    write_page(
        path,
        _TEMPLATE,
        title=_TITLE,
        evaluation=evaluation,
        summary=summary_table(evaluation.summary),
        groups=[(group, list(of)) for group, of in itertools.groupby(cases, key=lambda case: case.row[1:3])],
        images=images_table(evaluation.rows, evaluation.columns),
        intervals=evaluation.intervals,
        together=together,
        links={case.row.image: dict(case.pictures)["output"] for case in reversed(cases) if case.pictures},
    )
