"""Overlapping tiles whose results, put side by side, equal the result on the whole image."""

from __future__ import annotations

import math
from typing import NamedTuple


class Tile(NamedTuple):
    """What to compute, and which part of it to keep; all in pixels along one axis.

    Attributes:
        start: first pixel to compute, a multiple of the networks' stride.
        stop: one past the last pixel to compute.
        keep_start: first pixel of the image that this tile delivers.
        keep_stop: one past the last.
    """

    start: int
    stop: int
    keep_start: int
    keep_stop: int

    def inside(self, border: int, length: int) -> Tile:
        """The same tile counted from behind a border; of the border nothing is delivered."""
        start, stop, *keep = (place - border for place in self)
        return Tile(start, stop, *(min(max(place, 0), length) for place in keep))

    @property
    def kept(self) -> slice:
        """The delivered part, counted from the tile's own start."""
        return slice(self.keep_start - self.start, self.keep_stop - self.start)


def tiles(length: int, size: int, halo: int, stride: int) -> list[Tile]:
    """Cuts one axis into tiles that deliver at most `size` pixels each.

    Args:
        length: of the image along the axis.
        size: of the delivered part, a multiple of `stride`.
        halo: how far the networks see, a multiple of `stride`: computed on both sides but not delivered.
        stride: of the coarsest pooling. Tiles start on its multiples, so that pooling cells fall where
            they would in the whole image.

    Returns:
        Tiles in order; the delivered parts cover the axis exactly once.

    Raises:
        ValueError: when size or halo is not a multiple of the stride.
    """
    if size % stride or halo % stride or size < 1:
        raise ValueError(f"size and halo expect multiples of {stride}, received {size} and {halo}")
    return [
        Tile(max(0, start - halo), min(length, start + size + halo), start, min(length, start + size))
        for start in range(0, length, size)
    ]


def tile_sizes(height: int, width: int, halo: int, stride: int, pixels: int) -> tuple[int, int]:
    """Chooses the tiles that cover an image with the least to compute twice.

    Args:
        height: of the image.
        width: of the image.
        halo: as for `tiles`.
        stride: as for `tiles`.
        pixels: no tile has more than this with its halo, unless the smallest tile has.

    Returns:
        `size` for `tiles` along the height and along the width.
    """
    rows, columns = (_cuts(length, halo, stride) for length in (height, width))
    fitting = [
        (row.computed * column.computed, row.size, column.size)
        for row in rows
        for column in columns
        if row.window * column.window <= pixels
    ]
    return min(fitting)[1:] if fitting else (rows[-1].size, columns[-1].size)


class _Cut(NamedTuple):
    """One axis in equal parts: of what size, the longest with its halo, all with their halos."""

    size: int
    window: int
    computed: int


def _cuts(length: int, halo: int, stride: int) -> list[_Cut]:
    """Every way to cut an axis into parts of equal size, the coarsest first."""
    sizes = {
        stride * math.ceil(length / count / stride) for count in range(1, math.ceil(length / stride) + 1)
    }
    cuts = []
    for size in sorted(sizes, reverse=True):
        windows = [tile.stop - tile.start for tile in tiles(length, size, halo, stride)]
        cuts.append(_Cut(size, max(windows), sum(windows)))
    return cuts
