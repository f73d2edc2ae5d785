"""Bilinear interpolation at any place, so that parts of an image get what the whole would."""

from __future__ import annotations

import tensorflow as tf

_Pair = tuple[tf.Tensor, tf.Tensor]


def bilinear_at(values: tf.Tensor, start: _Pair, step: _Pair, size: tuple) -> tf.Tensor:
    """A small image at the pixel centres of a part of a larger one.

    Args:
        values: float32 [N, h, w, C].
        start: row and column of the part's first pixel in the larger image, float32 scalars.
        step: pixels of `values` to one of the larger image along the height and the width, float32 scalars.
        size: height and width of the part, numbers or int32 scalars.

    Returns:
        float32 [N, *size, C]: what `tf.image.resize` gives for the whole; edges are repeated.
    """
    for axis, (first, scale, length) in enumerate(zip(start, step, size), start=1):
        last = tf.shape(values)[axis] - 1
        position = (first + tf.cast(tf.range(length), tf.float32) + 0.5) * scale - 0.5
        position = tf.clip_by_value(position, 0.0, tf.cast(last, tf.float32))
        below = tf.floor(position)
        share = (
            (position - below)[:, tf.newaxis, tf.newaxis] if axis == 1 else (position - below)[:, tf.newaxis]
        )
        before = tf.cast(below, tf.int32)
        lower = tf.gather(values, before, axis=axis)
        upper = tf.gather(values, tf.minimum(before + 1, last), axis=axis)
        values = lower + share * (upper - lower)
    return values
