"""Pairs that a list or two patterns name, wherever their files are."""

from __future__ import annotations

import csv
import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from kind.errors import UserError, listed

_LARGEST_FILE = 1 << 27
_HEADERS = {"low": ("low", "dark", "input"), "high": ("high", "bright", "normal", "target")}
_WILDCARDS = re.compile(r"(\*\*/|\*|\?|\[[^\]]+\])")
_MEANING = {"**/": "((?:.*/)?)", "*": "([^/]*)", "?": "([^/])"}

Named = tuple[str, Path, Path]
"""Name of a pair, its dark and its bright image."""


class PairGlobs(NamedTuple):
    """Two patterns of files, such as "shots/*_dark.png" and "shots/*_bright.png"."""

    low: str
    high: str


def read_pair_list(file: Path) -> list[Named]:
    """Reads a CSV of pairs: two columns, or the columns `low` and `high` (`input` and `target`) of more.

    Args:
        file: UTF-8; paths are relative to its folder.

    Returns:
        The pairs, named by their dark images' stems, or by their paths where two have one stem.

    Raises:
        UserError: when it cannot be read, names no pairs or one twice, or an image is missing; with the line.
    """
    rows = list(_rows(file))
    columns = _columns(file, rows[0][1]) if rows else (0, 1)
    if rows and rows[0][1][columns[0]].strip().lower() in _HEADERS["low"]:
        rows = rows[1:]
    if not rows:
        raise UserError(f"{file}: lists no pairs; expected two columns, the dark and the bright image")
    named: dict[str, Named] = {}
    stems = [Path(cells[columns[0]]).stem for _, cells in rows if max(columns) < len(cells)]
    for line, cells in rows:
        if max(columns) >= len(cells):
            raise UserError(f"{file}: line {line}: expected two images, found {len(cells)} column(s)")
        low, high = (file.parent / cells[column].strip() for column in columns)
        for path in (low, high):
            if not path.is_file():
                raise UserError(f"{file}: line {line}: {path}: no such file")
        stem = low.stem
        name = stem if stems.count(stem) == 1 else cells[columns[0]].strip().replace("/", "-")
        if name in named:
            raise UserError(f"{file}: line {line}: {low} is there twice; keep one line")
        named[name] = (name, low, high)
    return list(named.values())


def find_by_globs(globs: PairGlobs) -> list[Named]:
    """Finds the pairs of two patterns: files for which the wildcards stand for the same text.

    Args:
        globs: with `*`, `?`, `[…]` and `**/` in the same order.

    Returns:
        The pairs, named by what the wildcards stand for.

    Raises:
        UserError: when there are none, or a file has no partner.
    """
    low, high = (_matches(pattern, side) for side, pattern in zip(("--low", "--high"), globs))
    sides = ((low, high), (high, low))
    alone = [str(path) for one, other in sides for key, path in one.items() if key not in other]
    if alone:
        names = listed(sorted(alone))
        raise UserError(f"no partner for which the wildcards stand for the same text: {names}")
    return [(_joined(key), low[key], high[key]) for key in sorted(low)]


def _joined(key: tuple[str, ...]) -> str:
    return "-".join(part.strip("/").replace("/", "-") for part in key if part.strip("/"))


def _matches(pattern: str, flag: str) -> dict[tuple[str, ...], Path]:
    """The files of a pattern, by what its wildcards stand for."""
    pieces = _WILDCARDS.split(pattern)
    if len(pieces) == 1:
        raise UserError(f"{flag} expects a pattern with wildcards, such as 'shots/*.png'; received {pattern}")
    expression = "".join(
        (_MEANING.get(piece) or f"({piece.replace('[!', '[^')})") if number % 2 else re.escape(piece)
        for number, piece in enumerate(pieces)
    )
    found: dict[tuple[str, ...], Path] = {}
    for text in sorted(glob.glob(pattern, recursive=True)):
        match = re.fullmatch(expression, text.replace(os.sep, "/"))
        if match and os.path.isfile(text):
            found[match.groups()] = Path(text)
    if not found:
        raise UserError(f"{flag} {pattern}: no such files; quote the pattern, and check the spelling")
    return found


def _rows(file: Path) -> Iterator[tuple[int, list[str]]]:
    """The lines of a CSV that are not empty, with their numbers."""
    try:
        if file.stat().st_size > _LARGEST_FILE:
            raise UserError(f"{file}: larger than {_LARGEST_FILE >> 20} MiB: not a list of pairs")
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, strict=True)
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    yield reader.line_num, cells
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); expected a CSV of pairs") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{file}: not a CSV file in UTF-8: {error}") from error


def _columns(file: Path, first: list[str]) -> tuple[int, int]:
    """Which columns name the dark and the bright images."""
    header = [cell.strip().lower() for cell in first]
    found = [[header.index(name) for name in names if name in header][:1] for names in _HEADERS.values()]
    if all(found):
        return found[0][0], found[1][0]
    if len(first) != 2:
        raise UserError(
            f"{file}: line 1: expected two columns, or columns called low and high; found {len(first)}"
        )
    return 0, 1
