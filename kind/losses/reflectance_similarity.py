"""Two exposures of one scene have one reflectance."""

from __future__ import annotations

import tensorflow as tf


def reflectance_similarity(low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """Mean |R_low - R_high|: two exposures of a scene have one reflectance.

    Source: KinD, section 3.2.1. Paper: prints the square. Here: |·|, as in the published code.

    Args:
        low: reflectance of the dark image, float32 [N, H, W, 3].
        high: reflectance of the bright image, the same shape.

    Returns:
        float32 scalar, from 0, which identical reflectances give, to 1.
    """
    return tf.reduce_mean(tf.abs(low - high))
