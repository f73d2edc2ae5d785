"""Writes a contact sheet of the findings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kind.data.pair_checks import Finding
from kind.images.photo import ImageError, read_photo, write_photo

MOST = 60

_COLUMNS = 3
_WIDTH, _HEIGHT = 240, 180  # of one picture
_GAP, _LINE = 8, 18
_CELL_WIDTH = 2 * _WIDTH + 2 * _GAP
_CELL_HEIGHT = _HEIGHT + 3 * _LINE + 2 * _GAP
_BACKGROUND, _TEXT, _MISSING = (34, 34, 34), (230, 230, 230), (90, 40, 40)
_BRIGHT_PERCENTILE = 99.5


def write_suspect_sheet(path: Path, findings: Sequence[Finding]) -> int:
    """Draws the first two files of every finding, dark ones brightened, with what is wrong below.

    Args:
        path: a `.jpg`.
        findings: the first 60 are drawn.

    Returns:
        How many were drawn; with none an older sheet at `path` is removed.

    Raises:
        ImageError: when the place cannot be written to.
    """
    shown = findings[:MOST]
    if shown:
        write_photo(path, np.asarray(_drawn(shown), np.float32) / 255, quality=90)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            reason = "it is a folder" if path.is_dir() else error.strerror
            raise ImageError(f"{path}: cannot be removed ({reason}): choose another place") from error
    return len(shown)


def _drawn(findings: Sequence[Finding]) -> Image.Image:
    columns = min(_COLUMNS, len(findings))
    rows = -(-len(findings) // columns)
    sheet = Image.new("RGB", (columns * _CELL_WIDTH, rows * _CELL_HEIGHT), _BACKGROUND)
    for index, finding in enumerate(findings):
        _draw(sheet, finding, index % columns * _CELL_WIDTH, index // columns * _CELL_HEIGHT)
    return sheet


def _draw(sheet: Image.Image, finding: Finding, left: int, top: int) -> None:
    """One finding: up to two pictures, and three lines of text."""
    for place, path in enumerate(finding.files[:2]):
        sheet.paste(_thumbnail(path), (left + place * (_WIDTH + _GAP), top + _GAP))
    names = " | ".join(f"{path.parent.name}/{path.name}" for path in finding.files[:2])
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(_LINE - 5)
    for line, text in enumerate((finding.kind, names, finding.detail)):
        while draw.textlength(text, font) > _CELL_WIDTH - 2 * _GAP:
            text = text[:-2].rstrip("…") + "…"
        draw.text((left, top + _GAP + _HEIGHT + line * _LINE), text, _TEXT, font)


def _thumbnail(path: Path) -> Image.Image:
    """The picture, dark ones stretched to full range; a red field when it cannot be read."""
    try:
        pixels = read_photo(path).pixels
    except ImageError:
        return Image.new("RGB", (_WIDTH, _HEIGHT), _MISSING)
    picture = Image.fromarray(np.rint(pixels * 255).astype(np.uint8))
    picture.thumbnail((_WIDTH, _HEIGHT))
    small = np.asarray(picture, np.float32)
    bright = max(float(np.percentile(small, _BRIGHT_PERCENTILE)), 1.0)
    return Image.fromarray(np.clip(small * (255 / bright), 0, 255).astype(np.uint8))
