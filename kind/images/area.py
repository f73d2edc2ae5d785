"""Area-averaging resize of arrays; `kind.ops.area` has the same for tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

_PART = 1024  # pixels of a side that are in float32 at a time
_CELLS = 16  # of a side that one product gives: more would multiply more zeros, fewer take more products


def area_resized_array(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resizes by averaging over areas; the same picture at another size gives nearly the same result.

    Args:
        image: [H, W, C], any size from 1×1; float32, or unsigned integers, whose largest number stands for 1.
        height: of the result.
        width: of the result.

    Returns:
        float32 [height, width, C].
    """
    result = np.zeros((height, width, image.shape[2]), np.float32)
    rows, columns = (list(_parts(*sides)) for sides in zip(image.shape[:2], (height, width)))
    for cells_down, down, from_rows in rows:
        for cells_across, across, from_columns in columns:
            block = image[down, across].astype(np.float32, copy=False)
            strips = (from_rows @ block.reshape(len(block), -1)).reshape(len(from_rows), *block.shape[1:])
            flat = strips.swapaxes(0, 1).reshape(block.shape[1], -1)  # one product is faster than many
            means = (from_columns @ flat).reshape(len(from_columns), len(from_rows), -1)
            result[cells_down, cells_across] += means.swapaxes(0, 1)
    return result / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else result


def _parts(length: int, count: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """An axis in parts: some cells, pixels that they cover, and the share of each pixel in each cell."""
    side = length / count
    for first in range(0, count, _CELLS):
        cell = np.arange(first, min(first + _CELLS, count))[:, np.newaxis] * side
        begin, end = math.floor(cell[0, 0]), min(math.ceil(cell[-1, 0] + side), length)
        for start in range(begin, end, _PART):
            pixel = np.arange(start, min(end, start + _PART))
            overlap = np.minimum(cell + side, pixel + 1) - np.maximum(cell, pixel)
            share = np.maximum(overlap, 0.0) / side
            yield slice(first, first + len(cell)), slice(start, start + len(pixel)), share.astype(np.float32)
