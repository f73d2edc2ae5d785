"""How large images are cut so that the networks' memory stays the same."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

from kind.enhancing.tiling.free_memory import free_memory
from kind.enhancing.tiling.graph_tiles import TileSpec
from kind.enhancing.tiling.receptive_field import UnboundedReceptiveField
from kind.enhancing.tiling.tiles import Tile, tile_sizes, tiles

_MIB = 2**20

#: What a pass through the networks may take, in bytes beside weights, image and result; None leaves it to
#: `working_memory`. Less is slower, because halos are computed twice; `python -m benchmarks.memory images
#: --working-memory` shows how much.
WORKING_MEMORY: float | None = None

# What it is where the system does not say how much memory is free, and in graphs for other machines.
_USUAL = 640 * _MIB
# By the memory that must be free, the largest first.
_SIZES = ((2048 * _MIB, _USUAL), (0, 320 * _MIB))

# Images below so many pixels may take more than the usual: fewer halos, and less than 2 GiB in all, as there
# are few tiles: oneDNN keeps memory for each of their shapes. 3840×2160 in so large tiles took 2.1 GiB in
# float32, and 2.6 in bfloat16 on a processor with AMX.
_SMALL, _MORE = 4_000_000, 880 * _MIB
# From so many pixels on, an image and its result take more than the tiles: these then get a third of it.
_HUGE = 100_000_000

# What TensorFlow takes for each byte that the networks' results need at least: oneDNN's scratch memory, and
# layers that run side by side. Measured with benchmarks/memory.py.
_OVERHEAD = 1.3
_CHANNELS_BETWEEN = 15  # of the pipeline itself, float32: S, R, L, the α plane, R̂, L̂ and the product


@functools.cache
def working_memory() -> int:
    """What a pass may take in this process, in bytes, by the memory that was free when it was first asked.

    One of two sizes, and only once: so tiles, and with them the last bits of a result, are seldom others
    in the next run.
    """
    free = free_memory()
    return _USUAL if free is None else next(size for least, size in _SIZES if free >= least)


class Window(NamedTuple):
    """One piece of a batch: which images, and which tile of them along the height and the width."""

    images: slice
    row: Tile
    column: Tile


class TilePlan(NamedTuple):
    """What tiles are planned by.

    Attributes:
        halo: how many pixels of the image beside a tile, at most, have an influence on it.
        stride: of the coarsest level, in pixels.
        values: the most numbers that the networks hold at a time for each pixel.
        half: whether these have 16 bits.
    """

    halo: int
    stride: int
    values: float
    half: bool


class Windows:
    """Cuts batches of images into pieces that give, put together, what the whole gives."""

    def __init__(self, tile_plan: Callable[[], TilePlan]) -> None:
        """Finds out how far the networks see, and how much they hold.

        Args:
            tile_plan: gives it, or raises UnboundedReceptiveField: such networks get whole images.
        """
        try:
            halo, self._stride, values, half = tile_plan()
        except UnboundedReceptiveField:
            self._halo = None
            return
        self._halo = self._stride * math.ceil(halo / self._stride)
        self._bytes_per_pixel = _OVERHEAD * (values * (2 if half else 4) + 4 * _CHANNELS_BETWEEN)

    def holds_whole(self, count: int, height: int, width: int) -> bool:
        """Whether a batch of this size needs no cutting, or cannot be cut."""
        return self._halo is None or count * height * width <= self._pixels(height, width)

    def of(self, count: int, height: int, width: int, border: int = 0) -> list[Window]:
        """Cuts a batch: images alone where several are too many, and images too large into tiles.

        Args:
            count: images.
            height: of each.
            width: of each.
            border: what is computed on each side of an image but is no part of it; a multiple of the stride.

        Returns:
            The pieces. Pixels are counted in the image, so those of the border are below 0 or beyond its end.
        """
        outer = height + 2 * border, width + 2 * border
        pixels = self._pixels(height, width)
        at_once = max(1, pixels // (outer[0] * outer[1]))
        sizes = tile_sizes(*outer, self._halo, self._stride, pixels)
        rows, columns = (
            [tile.inside(border, length) for tile in tiles(whole, size, self._halo, self._stride)]
            for length, whole, size in zip((height, width), outer, sizes)
        )
        return [
            Window(slice(first, min(count, first + at_once)), row, column)
            for first in range(0, count, at_once)
            for row in rows
            for column in columns
        ]

    def square(self) -> TileSpec | None:
        """Tiles for images whose size is not known yet, on any machine; None when they cannot be cut."""
        if self._halo is None:
            return None
        pixels = self._within(WORKING_MEMORY or _USUAL)
        longest = math.isqrt(pixels) // self._stride * self._stride
        return TileSpec(max(self._stride, longest - 2 * self._halo), self._halo, pixels)

    def _pixels(self, height: int, width: int) -> int:
        """Of a tile, or a batch, of images of a size."""
        memory = WORKING_MEMORY or working_memory()
        if not WORKING_MEMORY and memory == _USUAL and height * width < _SMALL:
            memory = _MORE
        pixels = self._within(memory)
        return pixels if height * width < _HUGE else pixels // 3

    def _within(self, memory: float) -> int:
        return int(memory / self._bytes_per_pixel)
