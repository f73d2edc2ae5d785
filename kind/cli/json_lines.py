"""One JSON object a line for each file on stdout, in place of a table."""

from __future__ import annotations

import functools
import io
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

_KEYS = {"α": "alpha"}
_CONTROLS = re.compile("[\x7f-\x9f]")  # those that JSON leaves as they are


class JsonLines(io.TextIOBase):
    """A stdout that drops what is printed, and writes records instead."""

    def __init__(self, stream: TextIO) -> None:
        """Takes the stream below."""
        self._stream = stream

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, text: str) -> int:
        """Drops text: whoever reads JSON cannot read tables."""
        return len(text)

    def emit(self, record: dict[str, Any]) -> None:
        """Writes one record at once; JSON has no NaN and no infinity, which become null."""
        sound = {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in record.items()
        }
        self._stream.write(_line(sound, getattr(self._stream, "encoding", None) or "utf-8"))
        self._stream.flush()


def _line(record: dict[str, Any], encoding: str) -> str:
    """A record as JSON, with JSON's own escapes for what the encoding lacks or a terminal would obey."""
    write = functools.partial(json.dumps, record, default=lambda number: number.item())
    text = write(ensure_ascii=False)
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = write()
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n"


def emit(record: dict[str, Any]) -> None:
    """Writes a record where JSON lines were asked for, and nothing otherwise."""
    if isinstance(sys.stdout, JsonLines):
        sys.stdout.emit(record)


def photograph_record(
    source: str | Path,
    target: Path,
    *,
    size: tuple[int, int] | None = None,
    column: str = "",
    cell: str | None = None,
    seconds: float = 0.0,
    notes: Sequence[str] = (),
    error: str | None = None,
) -> dict[str, Any]:
    """What a line says of a photograph.

    Args:
        source: the file that was read.
        target: the file that was written.
        size: height and width in pixels.
        column: what `cell` is, such as "α" or "boxes"; "" of a command that has none.
        cell: as a table shows it.
        seconds: of work.
        notes: of the reader.
        error: why nothing was written; then `output`, `width`, `height` and the column are null.

    Returns:
        JSON values by name.
    """
    height, width = (None, None) if error or size is None else size
    told = {_KEYS.get(column, column): None if error or cell is None else _number(cell)} if column else {}
    return {
        "file": str(source),
        "output": None if error else str(target),
        "width": width,
        "height": height,
        **told,
        "seconds": round(seconds, 3),
        "notes": list(notes),
        "error": error,
    }


def _number(cell: str) -> int | float | str:
    """A cell as a number where it is one."""
    for kind in (int, float):
        try:
            value = kind(cell)
        except ValueError:
            continue
        return value if math.isfinite(value) else cell
    return cell
