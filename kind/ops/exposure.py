"""More or less light, and how much of it makes an image as bright as another."""

from __future__ import annotations

import tensorflow as tf

_STEPS = 6
_LARGEST = 6.0  # log α beyond ±6, a factor of 400, is not looked for
_EPSILON = 1e-6


def exposed(illumination: tf.Tensor, log_alpha: tf.Tensor) -> tf.Tensor:
    """Illumination under α times the light, which never exceeds 1: L̂ = αL / (1 + (α - 1)L).

    Where L is small this is αL; log L̂/(1 - L̂) is log L/(1 - L) + log α.

    Args:
        illumination: L, float32 [N, H, W, 1] in [0, 1].
        log_alpha: float32 [N, 1]; 0 changes nothing, -∞ takes all light away.

    Returns:
        L̂, the same shape, in [0, 1].
    """
    alpha = tf.exp(log_alpha)[:, tf.newaxis, tf.newaxis, :]
    return alpha * illumination / tf.maximum(1.0 + (alpha - 1.0) * illumination, _EPSILON)


def exposure_for(reflectance: tf.Tensor, illumination: tf.Tensor, mean: tf.Tensor) -> tf.Tensor:
    """Log α for which R ∘ L̂ has a given mean: Newton's method, which is not differentiated.

    Args:
        reflectance: R, float32 [N, H, W, 3] in [0, 1].
        illumination: L, float32 [N, H, W, 1] in (0, 1).
        mean: wanted mean of R ∘ L̂ over all pixels and channels, float32 [N].

    Returns:
        log α, float32 [N, 1], from -6 to 6; the nearest where no α does.
    """
    weight = tf.stop_gradient(tf.reduce_mean(reflectance, axis=-1, keepdims=True))
    light = tf.stop_gradient(illumination)
    log_alpha = tf.zeros([tf.shape(light)[0], 1])
    for _ in range(_STEPS):
        lit = exposed(light, log_alpha)
        error = tf.reduce_mean(weight * lit, axis=[1, 2]) - mean[:, tf.newaxis]
        slope = tf.reduce_mean(weight * lit * (1.0 - lit), axis=[1, 2])
        step = tf.clip_by_value(error / (slope + _EPSILON), -1.5, 1.5)
        log_alpha = tf.clip_by_value(log_alpha - step, -_LARGEST, _LARGEST)
    return tf.stop_gradient(log_alpha)
