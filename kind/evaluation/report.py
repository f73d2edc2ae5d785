"""`summary.json`, `per_image.csv` and `report.html`."""

from __future__ import annotations

import csv
import html
import json
from collections.abc import Sequence
from pathlib import Path

from kind.evaluation.cases import ERROR_RANGE, Case, draw_cases
from kind.evaluation.methods import Method, Sample
from kind.evaluation.results import json_ready
from kind.evaluation.run import Failure
from kind.evaluation.summary import Evaluation, SummaryRow
from kind.evaluation.table import WORDS, cells, heading, headings
from kind.files import replacing

_TITLE = "Enhancement, scored"
# File names on disk are bytes, and not always text.
_TEXT = {"encoding": "utf-8", "errors": "backslashreplace"}
_STYLE = """
body { font: 15px/1.5 sans-serif; margin: 2rem auto; padding: 0 1rem; color: #222; max-width: 90rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 1rem 0 }
th, td { padding: .2rem .7rem; text-align: right; white-space: nowrap }
th { border-bottom: 2px solid #888 } tr.first td { border-top: 1px solid #ccc }
.words { text-align: left } dt { font-weight: 600 } dd { margin: 0 0 .4rem 1.5rem }
.note { background: #fff3cd; border-left: 4px solid #d39e00; padding: .5rem 1rem }
.case { display: flex; gap: .5rem; flex-wrap: wrap } figure { margin: 0; flex: 1 1 0; min-width: 220px }
figure img { width: 100%; height: auto } figcaption { color: #555 } .scroll { overflow-x: auto }
""".strip()


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
    with replacing(path) as temporary:
        text = json.dumps(json_ready(content), indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", **_TEXT)


def write_per_image(path: Path, evaluation: Evaluation) -> None:
    """Writes `per_image.csv`: one line for each image, method and protocol; undefined figures are empty."""
    figures = list(dict.fromkeys([*evaluation.columns, "alpha", "seconds"]))
    with replacing(path) as temporary, temporary.open("w", newline="", **_TEXT) as file:
        writer = csv.writer(file)
        writer.writerow(["image", "method", "protocol", *figures])
        for row in evaluation.rows:
            values = [row.figures.get(name) for name in figures]
            writer.writerow([row.image, row.method, row.protocol, *("" if v is None else v for v in values)])


def write_html(path: Path, evaluation: Evaluation, cases: Sequence[Case]) -> None:
    """Writes `report.html`, which needs nothing but the pictures beside it."""
    parts = [
        f"<h1>{html.escape(_TITLE)}</h1>",
        _facts(evaluation),
        *(f'<p class="note">{html.escape(note)}</p>' for note in evaluation.all_notes),
        _table(evaluation.summary),
        "<p>95 %: bootstrap interval of the mean over images.</p>",
        _failures(evaluation.failures),
        *_cases(cases, path.parent),
        _per_image(evaluation),
    ]
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(_TITLE)}</title><style>{_STYLE}</style></head>\n<body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )
    with replacing(path) as temporary:
        temporary.write_text(page, **_TEXT)


def _facts(evaluation: Evaluation) -> str:
    entries = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in evaluation.facts
    )
    return f"<dl>{entries}</dl>"


def _table(summary: Sequence[SummaryRow]) -> str:
    if not summary:
        return ""
    head = "".join(_table_cell(cell, number, "th") for number, cell in enumerate(headings(summary)))
    body = []
    for line in cells(summary):
        kind = ' class="first"' if line[0] else ""
        body.append(
            f"<tr{kind}>{''.join(_table_cell(cell, number) for number, cell in enumerate(line))}</tr>"
        )
    return f'<div class="scroll"><table><tr>{head}</tr>{"".join(body)}</table></div>'


def _table_cell(cell: str, number: int, tag: str = "td") -> str:
    words = ' class="words"' if number in WORDS else ""
    return f"<{tag}{words}>{html.escape(cell)}</{tag}>"


def _failures(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    lines = "".join(f"<li>{html.escape(f'{failure.image}: {failure.reason}')}</li>" for failure in failures)
    return f'<div class="note">Left out, {len(failures)}:<ul>{lines}</ul></div>'


def _cases(cases: Sequence[Case], base: Path) -> list[str]:
    parts = []
    group = None
    for case in cases:
        if group != (case.row.method, case.row.protocol):
            group = (case.row.method, case.row.protocol)
            parts.append(f"<h2>{html.escape(' · '.join(group))}</h2>")
        value = case.row.figures[case.by]
        title = f"{case.label} by {case.by.upper()}: {case.row.image} ({value:.2f})"
        figures = "".join(
            f'<figure><img loading="lazy" src="{html.escape(picture.relative_to(base).as_posix())}" '
            f'alt="{html.escape(caption)}"><figcaption>{_caption(caption)}</figcaption></figure>'
            for caption, picture in case.pictures
        )
        parts.append(f'<h3>{html.escape(title)}</h3><div class="case">{figures}</div>')
    return parts


def _caption(caption: str) -> str:
    return f"error map, black 0 to white {ERROR_RANGE:g}" if caption == "error" else html.escape(caption)


def _per_image(evaluation: Evaluation) -> str:
    words = "".join(f'<th class="words">{name}</th>' for name in ("image", "method", "protocol"))
    head = words + "".join(f"<th>{heading(column)}</th>" for column in evaluation.columns)
    lines = []
    for row in evaluation.rows:
        values = [row.figures.get(column) for column in evaluation.columns]
        words = "".join(f'<td class="words">{html.escape(word)}</td>' for word in row[:3])
        figures = "".join(f"<td>{'–' if value is None else f'{value:.4f}'}</td>" for value in values)
        lines.append(f"<tr>{words}{figures}</tr>")
    return (
        f"<details><summary>every image ({len(evaluation.rows)} lines)</summary>"
        f'<div class="scroll"><table><tr>{head}</tr>{"".join(lines)}</table></div></details>'
    )
