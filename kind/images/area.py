"""Area-averaging resize of arrays; `kind.ops.area` has the same for tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

_PART = 1 << 20  # pixels that are in float32 at a time
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
    wide, channels = image.shape[1:]
    strips = _averaged(image.reshape(len(image), -1), height, max(1, _PART // wide))
    flat = strips.reshape(height, wide, channels).swapaxes(0, 1).reshape(wide, -1)
    result = _averaged(flat, width, wide).reshape(width, height, channels).swapaxes(0, 1)
    return result / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else result


def _averaged(values: np.ndarray, count: int, most: int) -> np.ndarray:
    """Averages [N, M] along its first axis, of which `most` are in float32 at a time: [count, M]."""
    result = np.zeros((count, values.shape[1]), np.float32)
    for cells, pixels, shares in _parts(len(values), count, most):
        result[cells] += shares @ values[pixels].astype(np.float32, copy=False)
    return result


def _parts(length: int, count: int, most: int) -> Iterator[tuple[slice, slice, np.ndarray]]:
    """An axis in parts: some cells, at most so many of their pixels, and each pixel's share in each cell."""
    side = length / count
    for first in range(0, count, _CELLS):
        cell = np.arange(first, min(first + _CELLS, count))[:, np.newaxis] * side
        begin, end = math.floor(cell[0, 0]), min(math.ceil(cell[-1, 0] + side), length)
        for start in range(begin, end, most):
            pixel = np.arange(start, min(end, start + most))
            overlap = np.minimum(cell + side, pixel + 1) - np.maximum(cell, pixel)
            share = np.maximum(overlap, 0.0) / side
            yield slice(first, first + len(cell)), slice(start, start + len(pixel)), share.astype(np.float32)
