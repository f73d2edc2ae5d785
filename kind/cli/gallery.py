"""The page that `demo` writes: every photograph with the steps that it went through."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from kind.errors import UserError
from kind.files import atomic_write

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Relit photographs</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 110rem; margin: 2rem auto; padding: 0 1rem;
         color: #222; background: #fff }}
  h2 {{ margin: 2.5rem 0 .25rem; font-size: 1.1rem }}
  p {{ margin: .25rem 0 }}
  img {{ max-width: 100%; height: auto }}
</style>
<h1>Relit photographs</h1>
<p>Each row: the dark input, its reflectance and illumination, the restored reflectance, and the result; or
the dark input and the objects that the detector finds in its restored reflectance. Select a row to see the
result in full size.</p>
{sections}
</html>
"""

_SECTION = """<section>
<h2>{name}</h2>
<p>{width}×{height} pixels, {note}</p>
<a href="{picture}"><img src="{sheet}" alt="The steps from the dark {name} to the result"></a>
</section>"""


class Entry(NamedTuple):
    """One photograph of the page.

    Attributes:
        picture: the result, in the page's folder or below.
        sheet: all steps beside each other, likewise.
        size: (height, width) in pixels.
        note: what else there is to say, such as "α = 5".
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
    sections = (
        _SECTION.format(
            name=escape(entry.picture.name),
            height=entry.size[0],
            width=entry.size[1],
            note=escape(entry.note),
            picture=quote(entry.picture.relative_to(path.parent).as_posix()),
            sheet=quote(entry.sheet.relative_to(path.parent).as_posix()),
        )
        for entry in entries
    )
    try:
        with atomic_write(path) as temporary:
            temporary.write_text(_PAGE.format(sections="\n".join(sections)), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror}); give --out another place") from error
