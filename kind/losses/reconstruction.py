"""Reflectance times illumination must give the image back."""

from __future__ import annotations

import tensorflow as tf


def reconstruction(image: tf.Tensor, reflectance: tf.Tensor, illumination: tf.Tensor) -> tf.Tensor:
    """Mean |R ∘ L - S|: reflectance times illumination gives the image back.

    Source: KinD, the reconstruction term of equation 1.

    Args:
        image: S, float32 [N, H, W, 3] in [0, 1].
        reflectance: R, the same shape.
        illumination: L, float32 [N, H, W, 1] in [0, 1].

    Returns:
        float32 scalar, from 0, where R ∘ L is S, to 1.
    """
    return tf.reduce_mean(tf.abs(reflectance * illumination - image))
