"""The page that `demo` writes: each photograph with the steps of its enhancement."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from kind.reports.page import write_page

_TEMPLATE = Path(__file__).with_name("gallery.html")


class Entry(NamedTuple):
    """One photograph of the page.

    Attributes:
        picture: the result, in the page's folder or below.
        sheet: all steps beside each other, likewise.
        size: (height, width) in pixels.
        note: what else the page says of it, such as "α = 5".
    """

    picture: Path
    sheet: Path
    size: tuple[int, int]
    note: str


def write_gallery(path: Path, entries: Sequence[Entry]) -> None:
    """Writes the page.

    Args:
        path: the HTML file, in a folder above the entries' files.
        entries: in the order to show.

    Raises:
        UserError: when the file cannot be written.
    """
    write_page(path, _TEMPLATE, title="Relit photographs", entries=entries)
