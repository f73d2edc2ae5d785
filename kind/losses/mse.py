"""Mean squared error."""

from __future__ import annotations

import tensorflow as tf


def mse(output: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Mean (output - target)² over all elements: float32 scalar from two tensors of one shape."""
    return tf.reduce_mean(tf.square(output - target))
