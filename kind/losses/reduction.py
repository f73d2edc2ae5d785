"""How a loss of many values becomes one number, or one number an image."""

from __future__ import annotations

import tensorflow as tf


def averaged(values: tf.Tensor, per_image: bool) -> tf.Tensor:
    """The mean over everything, or over all axes but the first.

    Args:
        values: float32 [N, ...].
        per_image: keep the first axis.

    Returns:
        float32 scalar, or [N].
    """
    if not per_image:
        return tf.reduce_mean(values)
    return tf.reduce_mean(tf.reshape(values, [tf.shape(values)[0], -1]), axis=1)
