"""Area-averaging resize of arrays; `kind.ops.area` has the same for tensors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_PART = 1024  # pixels of a side that are in float32 at a time


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
    for down, from_rows in rows:
        for across, from_columns in columns:
            block = image[down, across].astype(np.float32, copy=False)
            strips = (from_rows @ block.reshape(len(block), -1)).reshape(height, *block.shape[1:])
            flat = strips.swapaxes(0, 1).reshape(block.shape[1], -1)  # one product is faster than many
            result += (from_columns @ flat).reshape(width, height, -1).swapaxes(0, 1)
    return result / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else result


def _parts(length: int, count: int) -> Iterator[tuple[slice, np.ndarray]]:
    """An axis in parts, each with the share that each of its pixels has in each cell: [count, pixels]."""
    cell = np.arange(count)[:, np.newaxis] * (length / count)
    for start in range(0, length, _PART):
        pixel = np.arange(start, min(length, start + _PART))
        overlap = np.minimum(cell + length / count, pixel + 1) - np.maximum(cell, pixel)
        share = np.maximum(overlap, 0.0) * (count / length)
        yield slice(start, start + len(pixel)), share.astype(np.float32)
