"""The worst, the median and the best case of a report, and the pictures of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from kind.images.photo import write_photo

Item = TypeVar("Item")


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


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Writes a picture of a page in full size.

    Args:
        path: a `.jpg`.
        pixels: float [H, W, 3] in [0, 1]; values beyond are clipped.

    Raises:
        kind.images.photo.ImageError: when the file cannot be written.
    """
    write_photo(path, pixels, quality=92)


def remove_others(folder: Path, used: Collection[Path]) -> None:
    """Removes pictures, `case-*.jpg` and `plot-*.png`, that an earlier report left in a folder."""
    for path in {*folder.glob("case-*.jpg"), *folder.glob("plot-*.png")} - set(used):
        path.unlink()
