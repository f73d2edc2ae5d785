"""The page that `demo` writes: each photograph with the steps of its enhancement, to compare."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from kind.images.photo import photo_size, write_photo
from kind.reports.page import write_page

PAGE_FILE, STEPS = "index.html", "steps"

_TEMPLATE = Path(__file__).with_name("gallery.html")
_KEPT = re.compile(r'<script type="application/json" id="entries">(.*?)</script>', re.DOTALL)
_LONGEST_TEXT = 300


class Entry(NamedTuple):
    """One photograph of the page.

    Attributes:
        picture: the result, in the page's folder or below.
        parts: caption and file of each step, likewise, from the photograph to the result.
        size: (height, width) in pixels.
        note: what else the page says of it, such as "α = 5".
    """

    picture: Path
    parts: Sequence[tuple[str, Path]]
    size: tuple[int, int]
    note: str


def write_parts(sheet: Path, parts: Sequence[tuple[str, np.ndarray]]) -> list[tuple[str, Path]]:
    """Writes steps in full size, as JPEG.

    Args:
        sheet: the contact sheet; the files are called NAME_sheet-CAPTION.jpg in `steps/` beside it.
        parts: caption, and float [H, W, 1 or 3] in [0, 1].

    Returns:
        Caption and file of each.

    Raises:
        kind.images.photo.ImageError: when one cannot be written.
    """
    written = []
    for caption, pixels in parts:
        written.append((caption, sheet.parent / STEPS / f"{sheet.stem}-{caption.replace(' ', '-')}.jpg"))
        write_photo(written[-1][1], np.repeat(pixels, 3 // pixels.shape[-1], axis=-1), quality=92)
    return written


def write_gallery(path: Path, entries: Sequence[Entry]) -> None:
    """Writes the page: what it showed before, as far as it is still there, and new entries.

    Args:
        path: the HTML file, in a folder above the entries' files.
        entries: in the order to show; an older one of the same picture is replaced.

    Raises:
        UserError: when the page cannot be written.
    """
    folder = path.parent
    new = {entry.picture for entry in entries}
    shown = [*(entry for entry in _kept(path) if entry.picture not in new), *entries]
    names = [
        {
            "picture": _name(entry.picture, folder),
            "parts": [[caption, _name(part, folder)] for caption, part in entry.parts],
            "size": list(entry.size),
            "note": entry.note,
        }
        for entry in shown
    ]
    # Within a script only "<" could end it.
    kept = json.dumps(names).replace("<", "\\u003c")
    write_page(path, _TEMPLATE, title="Relit photographs", entries=shown, kept=kept)


def refresh_galleries(pictures: Iterable[Path]) -> None:
    """Shows results on the pages of their folders, where there are such pages, in place of what these showed.

    Args:
        pictures: that a command has just written; those that are not there are passed over.

    Raises:
        UserError: when a page cannot be written.
    """
    by_folder: dict[Path, list[Path]] = {}
    for picture in filter(Path.is_file, pictures):
        by_folder.setdefault(picture.parent, []).append(picture)
    for folder, inside in by_folder.items():
        if _kept_text(folder / PAGE_FILE):
            entries = [Entry(each, [("relit", each)], photo_size(each), "relit") for each in inside]
            write_gallery(folder / PAGE_FILE, entries)


def _kept(path: Path) -> list[Entry]:
    """The entries of a page whose files are all there; none of a page that somebody else has written."""
    try:
        found = json.loads(_kept_text(path) or "[]")
        return [entry for each in found if (entry := _entry(each, path.parent))]
    except (ValueError, TypeError, KeyError, RecursionError):
        return []


def _kept_text(path: Path) -> str | None:
    """The JSON with the entries of a page; None of another page, or where there is none."""
    try:
        found = _KEPT.search(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found[1] if found else None


def _entry(content: dict[str, Any], folder: Path) -> Entry | None:
    height, width = map(int, content["size"])
    parts = [(str(caption)[:_LONGEST_TEXT], _file(name, folder)) for caption, name in content["parts"]]
    picture = _file(content["picture"], folder)
    if picture is None or any(file is None for _, file in parts):
        return None
    return Entry(picture, parts, (height, width), str(content["note"])[:_LONGEST_TEXT])


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _file(name: str, folder: Path) -> Path | None:
    """A file below the folder; None where it is gone or elsewhere."""
    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or not (folder / inside).is_file():
        return None
    return folder / inside
