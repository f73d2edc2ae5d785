"""The form that reports share: one HTML page that needs nothing but the pictures beside it."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from kind.files import atomic_write

# File names on disk are bytes, and not always text.
TEXT = {"encoding": "utf-8", "errors": "backslashreplace"}
"""How text files of results are opened."""

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


def write_page(path: Path, title: str, parts: Iterable[str]) -> None:
    """Writes the page.

    Args:
        path: the HTML file.
        title: plain text; also the first heading.
        parts: HTML; empty ones are left out.
    """
    title = html.escape(title)
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>\n<body>\n<h1>{title}</h1>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )
    with atomic_write(path) as temporary:
        temporary.write_text(page, **TEXT)


def fact_list(facts: Iterable[tuple[str, str]]) -> str:
    """Names and values, plain text, as HTML."""
    entries = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in facts)
    return f"<dl>{entries}</dl>"


def note_box(text: str) -> str:
    """Plain text that stands out."""
    return f'<p class="note">{html.escape(text)}</p>'


def left_out_box(reasons: Sequence[str]) -> str:
    """What could not be scored, and why; nothing when there is none."""
    lines = "".join(f"<li>{html.escape(reason)}</li>" for reason in reasons)
    return f'<div class="note">Left out, {len(reasons)}:<ul>{lines}</ul></div>' if reasons else ""


def table(
    head: Sequence[str], lines: Iterable[Sequence[str]], words: Collection[int], ruled: bool = True
) -> str:
    """Plain text in a table.

    Args:
        head: the headings.
        lines: of cells, each as long as `head`.
        words: the columns that hold words, not figures.
        ruled: a rule above each line whose first cell says something.

    Returns:
        HTML.
    """
    body = []
    for line in lines:
        kind = ' class="first"' if ruled and line[0] else ""
        body.append(f"<tr{kind}>{_cells(line, 'td', words)}</tr>")
    return f'<div class="scroll"><table><tr>{_cells(head, "th", words)}</tr>{"".join(body)}</table></div>'


def folded(summary: str, content: str) -> str:
    """HTML that is shown when its summary, plain text, is selected."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def picture_row(title: str, pictures: Iterable[tuple[str, str, Path]], base: Path) -> str:
    """Pictures side by side.

    Args:
        title: plain text.
        pictures: what each is in a word, its caption, and its file.
        base: the page's folder.

    Returns:
        HTML.
    """
    figures = "".join(
        f'<figure><img loading="lazy" src="{html.escape(path.relative_to(base).as_posix())}" '
        f'alt="{html.escape(name)}"><figcaption>{html.escape(caption)}</figcaption></figure>'
        for name, caption, path in pictures
    )
    return f'<h3>{html.escape(title)}</h3><div class="case">{figures}</div>'


def _cells(line: Sequence[str], tag: str, words: Collection[int]) -> str:
    kinds = [' class="words"' if number in words else "" for number in range(len(line))]
    return "".join(f"<{tag}{kind}>{html.escape(cell)}</{tag}>" for kind, cell in zip(kinds, line))
