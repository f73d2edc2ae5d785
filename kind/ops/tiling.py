"""Overlapping tiles whose results, put side by side, equal the result on the whole image."""

from __future__ import annotations

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
