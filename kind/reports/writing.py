"""Writes the files of reports, each wholly or not at all."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from kind.errors import UserError
from kind.files import atomic_write
from kind.reports.results import json_ready

# File names on disk are bytes, and not always text.
_TEXT = {"encoding": "utf-8", "errors": "backslashreplace"}


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text.

    Args:
        path: the file; its folder is made when missing.
        text: may contain file names that are not valid text, which are written with escapes.

    Raises:
        UserError: when the file cannot be written.
    """
    with _opened(path) as file:
        file.write(text)


def write_json(path: Path, content: Any, *, indent: int | None = 2, ascii_only: bool = False) -> None:
    """Writes JSON.

    Args:
        path: the file; its folder is made when missing.
        content: infinities and NaN in it become words, see `json_ready`.
        indent: of lines, in blanks; None writes one line.
        ascii_only: escape other letters, for programs that read files in the encoding of their locale.

    Raises:
        UserError: when the file cannot be written.
    """
    text = json.dumps(json_ready(content), indent=indent, ensure_ascii=ascii_only, allow_nan=False)
    write_text(path, f"{text}\n")


def write_csv(path: Path, head: Sequence[str], lines: Iterable[Sequence[Any]]) -> None:
    """Writes a table with a line of headings; None becomes an empty cell.

    Raises:
        UserError: when the file cannot be written.
    """
    with _opened(path, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(head)
        writer.writerows(lines)


@contextmanager
def _opened(path: Path, newline: str | None = None) -> Iterator[TextIO]:
    try:
        with atomic_write(path) as temporary, temporary.open("w", newline=newline, **_TEXT) as file:
            yield file
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error
