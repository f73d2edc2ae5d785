"""Exposure in linear light: the sRGB transfer function, gains in stops and a shoulder for highlights."""

from __future__ import annotations

import math

import tensorflow as tf

KNEE = 0.9
"""Linear light above which `soft_shoulder` compresses: 244 of 255 in sRGB."""

_TOE = 0.0031308
_SRGB_TOE = 0.04045


def srgb_to_linear(image: tf.Tensor) -> tf.Tensor:
    """Display values to linear light (IEC 61966-2-1).

    Args:
        image: float [...], sRGB in [0, 1].

    Returns:
        The same shape, linear light in [0, 1]; its gradient is finite everywhere.
    """
    power = _power((tf.maximum(image, _SRGB_TOE) + 0.055) / 1.055, 2.4)
    return tf.where(image <= _SRGB_TOE, image / 12.92, power)


def linear_to_srgb(light: tf.Tensor) -> tf.Tensor:
    """Linear light to display values, the inverse of `srgb_to_linear`; what is above 1 goes on smoothly.

    Args:
        light: float [...], from 0 on.

    Returns:
        The same shape, sRGB; its gradient is finite everywhere.
    """
    power = 1.055 * _power(tf.maximum(light, _TOE), 1.0 / 2.4) - 0.055
    return tf.where(light <= _TOE, light * 12.92, power)


def soft_shoulder(light: tf.Tensor, gain: tf.Tensor, knee: float = KNEE) -> tf.Tensor:
    """Compresses light that a gain has raised, so that what was 1 before the gain is 1 after it.

    Extended Reinhard (Reinhard et al., SIGGRAPH 2002, equation 4) above the knee k: with
    u = (x - k) / (1 - k) and M = (gain - k) / (1 - k), k + (1 - k)·u·(1 + u / M²) / (1 + u). The slope at
    the knee is 1. A gain of 1 or less changes nothing.

    Args:
        light: x, float [...], linear light times the gain.
        gain: float, broadcast against `light`.
        knee: k, in (0, 1).

    Returns:
        The same shape as `light`, at most 1 where `light` is at most max(gain, 1).
    """
    above = tf.maximum(light - knee, 0.0) / (1.0 - knee)
    # Its gradient is small, and costs as much as all the rest.
    largest = (tf.stop_gradient(tf.maximum(gain, 1.0)) - knee) / (1.0 - knee)
    compressed = above * (1.0 + above / tf.square(largest)) / (1.0 + above)
    return tf.minimum(light, knee) + (1.0 - knee) * compressed


def expose(image: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    """A photograph under another exposure.

    Args:
        image: float32 [N, H, W, 3], sRGB in [0, 1].
        stops: float32, broadcast against `image`: each stop doubles the linear light.

    Returns:
        float32 [N, H, W, 3], sRGB in [0, 1]: black stays black, white stays white for stops from 0 on.
    """
    gain = stops_to_gain(stops)
    return linear_to_srgb(tf.clip_by_value(soft_shoulder(srgb_to_linear(image) * gain, gain), 0.0, 1.0))


def stops_to_gain(stops: tf.Tensor) -> tf.Tensor:
    """The factor of linear light, 2^stops: the same shape."""
    return tf.exp(stops * math.log(2.0))


def _power(values: tf.Tensor, exponent: float) -> tf.Tensor:
    """x^p of x > 0. On CPUs `tf.pow` takes ten times as long: it is not vectorised."""
    return tf.exp(exponent * tf.math.log(values))
