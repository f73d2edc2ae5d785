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
    lengths = [images.shape[axis] or dynamic[axis] for axis in (1, 2)]
    # No remainder or quotient of a negative number here: ONNX rounds these the other way.
    more = [factor - 1 - (length + factor - 1) % factor for length in lengths]
    padding = [[0, 0], [0, more[0]], [0, more[1]], [0, 0]]
    sums, shares = (
        tf.nn.avg_pool2d(tf.pad(values, padding), factor, factor, "VALID")
        for values in (images, tf.ones_like(images[:1, :, :, :1]))
    )
    return sums / shares


def block_mean_by(images: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """What `block_mean` gives, by a factor that only a running graph knows.

    Args:
        images: float32 [N, H, W, C], any size from 1×1.
        factor: side of the squares, int32 scalar, from 1 on.

    Returns:
        float32 [N, ⌈H / factor⌉, ⌈W / factor⌉, C].
    """
    count, height, width, channels = tf.unstack(tf.shape(images))
    rows, columns = (height + factor - 1) // factor, (width + factor - 1) // factor
    more = [[0, 0], [0, rows * factor - height], [0, columns * factor - width], [0, 0]]
    # First down and then across: so no sum needs the image in another order.
    strips = tf.reshape(tf.pad(images, more), [count * rows, factor, columns * factor * channels])
    cells = tf.reshape(tf.reduce_sum(strips, axis=1), [count * rows * columns, factor, channels])
    sums = tf.reshape(tf.reduce_sum(cells, axis=1), [count, rows, columns, images.shape[-1]])
    down, across = (
        tf.cast(tf.minimum(factor, length - tf.range(0, length, factor)), tf.float32)
        for length in (height, width)
    )
    return sums / (down[:, tf.newaxis, tf.newaxis] * across[:, tf.newaxis])


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
