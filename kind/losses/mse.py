"""Mean squared error."""

from __future__ import annotations

import tensorflow as tf


def mse(output: tf.Tensor, target: tf.Tensor, *, per_image: bool = False) -> tf.Tensor:
    """Mean (output - target)²: the L2 loss, which PSNR measures; it blurs what is uncertain.

    Source: Zhao et al., "Loss Functions for Image Restoration with Neural Networks", IEEE TCI 2017.

    Args:
        output: float32 [N, H, W, C].
        target: the same shape.
        per_image: average over each image instead of the batch.

    Returns:
        float32 scalar, or [N]; 0 for identical images.
    """
    return tf.reduce_mean(tf.square(output - target), axis=[1, 2, 3] if per_image else None)
