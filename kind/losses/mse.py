"""Mean squared error."""

from __future__ import annotations

import tensorflow as tf


def mse(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean (output - target)².

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; 0 for identical images.
    """
    return tf.reduce_mean(tf.square(output - target), axis=[1, 2, 3] if per_image else None)
