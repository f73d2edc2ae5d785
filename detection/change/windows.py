"""Large photographs in overlapping windows inside a graph, where their size is not known before."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf


def in_windows(
    find: Callable[[tf.Tensor, tf.Tensor], tf.Tensor], before: tf.Tensor, after: tf.Tensor, side: int
) -> tf.Tensor:
    """Averages what a function finds in windows, with more weight in their middles.

    Args:
        find: from the same window of both dates, float32 [1, h, w, 3], to float32 [1, h, w, 1].
        before: float32 [1, H, W, 3].
        after: the same shape.
        side: of the windows in pixels; smaller photographs are one window.

    Returns:
        float32 [H, W].
    """
    size = tf.shape(before)[1:3]
    tops, lefts = (starts(length, side) for length in tf.unstack(size))
    count = tf.size(lefts)

    def step(number: tf.Tensor, total: tf.Tensor, weights: tf.Tensor) -> tuple:
        start = tf.stack([tf.gather(tops, number // count), tf.gather(lefts, number % count)])
        place = (slice(None), *(slice(first, first + side) for first in tf.unstack(start)))
        found = tf.squeeze(find(before[place], after[place]), [0, 3])
        rows, columns = (_ramp(length) for length in tf.unstack(tf.shape(found)))
        weight = tf.minimum(tf.expand_dims(rows, 1), columns)
        around = tf.stack([start, size - start - tf.shape(found)], axis=1)
        return number + 1, total + tf.pad(weight * found, around), weights + tf.pad(weight, around)

    nothing = tf.zeros(size)
    shapes = (tf.TensorShape([]), *[tf.TensorShape([None, None])] * 2)
    _, total, weights = tf.while_loop(
        lambda number, *_: number < tf.size(tops) * count,
        step,
        (tf.constant(0), nothing, nothing),
        shapes,
        parallel_iterations=1,
    )
    return total / weights


def starts(length: tf.Tensor, side: int) -> tf.Tensor:
    """Where windows begin that cover a length and overlap by a quarter at least: int32 [K]."""
    beyond = tf.maximum(length - side, 0)
    last = -(-beyond // (side - side // 4))  # the number of the last one
    places = tf.cast(tf.range(last + 1) * beyond, tf.float64) / tf.cast(tf.maximum(last, 1), tf.float64)
    return tf.cast(tf.round(places), tf.int32)


def _ramp(length: tf.Tensor) -> tf.Tensor:
    """Weights that grow from both ends to the middle: float32 [length], from 1."""
    places = tf.range(length)
    return tf.cast(1 + tf.minimum(places, places[::-1]), tf.float32)
