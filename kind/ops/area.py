"""Area-averaging resize as two matrix products: any size, in a graph, and of parts of an image.

`kind.images.area` has the same for arrays.
"""

from __future__ import annotations

import tensorflow as tf


def area_weights(length: tf.Tensor, count: int, start: tf.Tensor = 0, whole: tf.Tensor | None = None):
    """Which part of each cell along one axis each pixel covers.

    Args:
        length: pixels of the part that is at hand, int32 scalar.
        count: cells that the whole axis is cut into.
        start: the part's first pixel, counted in the whole.
        whole: pixels of the whole axis; by default the part is the whole.

    Returns:
        float32 [count, length]; over all parts of an axis, each row adds up to 1.
    """
    whole = tf.cast(length if whole is None else whole, tf.float32)
    pixel = tf.cast(start, tf.float32) + tf.range(tf.cast(length, tf.float32))
    cell = tf.range(float(count))[:, tf.newaxis] * whole / count
    overlap = tf.minimum(cell + whole / count, pixel + 1.0) - tf.maximum(cell, pixel)
    return tf.maximum(overlap, 0.0) * count / whole


def area_resized(images: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resizes by averaging over areas; the same picture at another size gives nearly the same result.

    Args:
        images: float32 [N, H, W, C], any size from 1×1.
        height: of the result.
        width: of the result.

    Returns:
        float32 [N, height, width, C], within the range of `images`.
    """
    shape = tf.shape(images)
    return weighted_areas(images, area_weights(shape[1], height), area_weights(shape[2], width))


def weighted_areas(images: tf.Tensor, rows: tf.Tensor, columns: tf.Tensor) -> tf.Tensor:
    """Averages by weights of `area_weights`: [N, H, W, C], [h, H], [w, W] → [N, h, w, C]."""
    channels, shape = images.shape[-1], tf.shape(images)
    flat = tf.reshape(images, [shape[0], shape[1], shape[2] * channels])
    strips = tf.reshape(tf.matmul(rows, flat), [shape[0], rows.shape[0], shape[2], channels])
    result = tf.matmul(columns, strips)  # [N, height, width, C]: broadcast over the rows
    return tf.ensure_shape(result, [images.shape[0], rows.shape[0], columns.shape[0], channels])
