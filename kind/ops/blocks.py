"""Averages over squares of pixels, counted from an image's first."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_ROWS = 64  # of results, at a time


def block_mean(images: tf.Tensor, factor: int) -> tf.Tensor:
    """Averages over squares; those at the end average the pixels that there are.

    Args:
        images: float32 [N, H, W, C], any size from 1×1.
        factor: side of the squares, from 1 on.

    Returns:
        float32 [N, ⌈H / factor⌉, ⌈W / factor⌉, C].
    """
    if factor == 1:
        return images
    dynamic = tf.shape(images)
    more = [-(images.shape[axis] or dynamic[axis]) % factor for axis in (1, 2)]
    padding = [[0, 0], [0, more[0]], [0, more[1]], [0, 0]]
    sums, shares = (
        tf.nn.avg_pool2d(tf.pad(values, padding), factor, factor, "VALID")
        for values in (images, tf.ones_like(images[:1, :, :, :1]))
    )
    return sums / shares


def block_mean_array(image: np.ndarray, factor: int) -> np.ndarray:
    """What `block_mean` gives for one array, without making floats of what may be large.

    Args:
        image: [H, W, C]; float32, or unsigned integers, whose largest number stands for 1.
        factor: side of the squares.

    Returns:
        float32 [⌈H / factor⌉, ⌈W / factor⌉, C].
    """
    height, width, channels = image.shape
    counts = [
        np.minimum(factor, length - np.arange(0, length, factor)).astype(np.float32)
        for length in (height, width)
    ]
    result = np.empty((*map(len, counts), channels), np.float32)
    for start in range(0, len(counts[0]), _ROWS):
        strip = image[start * factor : (start + _ROWS) * factor].astype(np.float32)
        rows = np.add.reduceat(strip, np.arange(0, len(strip), factor), axis=0)
        result[start : start + _ROWS] = np.add.reduceat(rows, np.arange(0, width, factor), axis=1)
    result /= counts[0][:, np.newaxis, np.newaxis] * counts[1][:, np.newaxis]
    return result / np.float32(np.iinfo(image.dtype).max) if image.dtype.kind == "u" else result
