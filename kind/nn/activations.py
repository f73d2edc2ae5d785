"""Activations of our own networks."""

from __future__ import annotations

import tensorflow as tf

_LEAK = 0.2


def leaky_relu(values: tf.Tensor) -> tf.Tensor:
    """max(0.2·x, x), the activation of all networks.

    `ensure_shape` asks for nothing: it keeps TensorFlow from joining the activation to the convolution before
    it. Of joined ones oneDNN never frees the code that it makes for each size of image.
    """
    return tf.nn.leaky_relu(tf.ensure_shape(values, [None] * values.shape.rank), _LEAK)
