"""Small pictures side by side under their titles, to look at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from kind.images.pil import to_pil

_GAP = 8
_TITLE_HEIGHT = 26
_TITLE_SIZE = 15
_PAPER, _INK = (255, 255, 255), (40, 40, 40)


def contact_sheet(
    rows: Sequence[Sequence[np.ndarray]], titles: Sequence[str], longest_side: int = 320
) -> np.ndarray:
    """Lays pictures out in rows, one title above each column.

    Args:
        rows: float [H, W, 3] or [H, W, 1] in [0, 1] each, of any sizes; each row as long as `titles`.
        titles: of the columns.
        longest_side: larger pictures are shrunk to this many pixels; smaller ones stay as they are.

    Returns:
        float32 [H', W', 3] in [0, 1].
    """
    pictures = [[_small(pixels, longest_side) for pixels in row] for row in rows]
    font = ImageFont.load_default(_TITLE_SIZE)
    widths = [
        max(round(font.getlength(title)), *(row[column].width for row in pictures))
        for column, title in enumerate(titles)
    ]
    heights = [max(picture.height for picture in row) for row in pictures]
    size = (sum(widths) + _GAP * (len(widths) + 1), _TITLE_HEIGHT + sum(heights) + _GAP * (len(heights) + 1))
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    left = _GAP
    for column, (title, width) in enumerate(zip(titles, widths)):
        draw.text((left, _GAP), title, _INK, font)
        top = _GAP + _TITLE_HEIGHT
        for row, height in zip(pictures, heights):
            sheet.paste(row[column], (left, top))
            top += height + _GAP
        left += width + _GAP
    return np.asarray(sheet, np.float32) / 255


def _small(pixels: np.ndarray, longest_side: int) -> Image.Image:
    picture = to_pil(pixels)
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return picture
