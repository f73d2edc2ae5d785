"""The worst, the median and the best case of a report, and the pictures of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from kind.images.photo import write_photo

Item = TypeVar("Item")

_LONGEST_SIDE = 900


def choose_cases(ranked: Sequence[Item]) -> list[tuple[str, Item]]:
    """Picks the worst, the median and the best case.

    Args:
        ranked: the worst first.

    Returns:
        (label, case): of two only worst and best, of one only itself as "worst".
    """
    labels = ("worst", "median", "best") if len(ranked) > 2 else ("worst", "best")[: len(ranked)]
    places = {"worst": 0, "median": (len(ranked) - 1) // 2, "best": len(ranked) - 1}
    return [(label, ranked[places[label]]) for label in labels]


def write_small(path: Path, pixels: np.ndarray) -> None:
    """Writes a picture of at most 900 pixels a side.

    Args:
        path: a `.jpg`.
        pixels: float [H, W, 3] in [0, 1]; values beyond are clipped.

    Raises:
        kind.images.photo.ImageError: when the file cannot be written.
    """
    picture = Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    write_photo(path, np.asarray(picture, np.float32) / 255, quality=90)


def remove_others(folder: Path, used: Collection[Path]) -> None:
    """Removes pictures of cases, `case-*.jpg`, that an earlier report left in a folder."""
    for path in set(folder.glob("case-*.jpg")) - set(used):
        path.unlink()
