"""Tiles of a data set of change detection: large photographs become many small ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kind.detection.change.folders import PARTS, SIDES, Triplet, check_sizes, find_triplets, read_label
from kind.errors import UserError
from kind.images.photo import read_photo, write_photo

WHOLE = "all"


def parts_of(folder: Path) -> dict[str, list[Triplet]]:
    """The triplets of each part by the name of its folder, or all of them under "" without parts.

    Raises:
        UserError: see `find_triplets`.
    """
    found = {PARTS[part][0]: find_triplets(folder, part) for part in PARTS}
    found = {name: triplets for name, triplets in found.items() if triplets}
    return found or {"": find_triplets(folder)}


def cut(
    folder: str | Path, out: Path, side: int, progress: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, int]:
    """Cuts every triplet into tiles, from the top left corner; the last ones are moved inside.

    Args:
        folder: of the data set, see `detection.change.folders`.
        out: gets `A/`, `B/` and `label/` with PNG files called NAME_TOP_LEFT, in `train/`, `val/` and `test/`
            where the data set has parts.
        side: of the tiles in pixels.
        progress: called with the number of triplets that are done, and how many there are.

    Returns:
        The number of tiles of each part.

    Raises:
        UserError: when the data set is broken, an image is smaller than a tile, or a file cannot be written.
    """
    parts = parts_of(Path(folder))
    every = [triplet for triplets in parts.values() for triplet in triplets]
    check_sizes(every)
    done, counts = 0, {}
    for part, triplets in parts.items():
        counts[part or WHOLE] = 0
        for triplet in triplets:
            counts[part or WHOLE] += _cut_one(triplet, out / part, side)
            done += 1
            progress(done, len(every))
    return counts


def _cut_one(triplet: Triplet, out: Path, side: int) -> int:
    label = np.repeat(read_label(triplet.label), 3, axis=-1)
    images = [read_photo(triplet.before).pixels, read_photo(triplet.after).pixels, label]
    height, width = label.shape[:2]
    if min(height, width) < side:
        raise UserError(
            f"{triplet.before}: {width}x{height} pixels, smaller than a tile of --image-size {side}"
        )
    places = [(top, left) for top in _starts(height, side) for left in _starts(width, side)]
    for top, left in places:
        for name, image in zip(SIDES, images):
            path = out / name / f"{triplet.name}_{top:04}_{left:04}.png"
            write_photo(path, image[top : top + side, left : left + side])
    return len(places)


def _starts(length: int, side: int) -> list[int]:
    """Where tiles begin along one side."""
    starts = list(range(0, length - side + 1, side))
    return starts if (length - side) % side == 0 else [*starts, length - side]
