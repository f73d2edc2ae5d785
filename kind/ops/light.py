"""Exposure in linear light: the sRGB transfer function, gains in stops and a shoulder for highlights."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from kind.constants import BT601
from kind.ops.colour import gray

KNEE = 0.9
"""Linear light above which `soft_shoulder` compresses: 244 of 255 in sRGB."""

MOST_STOPS = 10.0
"""What `matching_stops` finds at most."""

_BLACK = 1e-4
_LEAST_LIGHT = 1e-6
_CELL, _HALVINGS = 8, 14  # the stops are exact to MOST_STOPS / 2^15
_TOE = 0.0031308
_SRGB_TOE = 0.04045
_ABOVE_TOE = _SRGB_TOE / 12.92 * (1 + 1e-6)  # never below what the curve is there: black stays black


def srgb_to_linear(image: tf.Tensor) -> tf.Tensor:
    """Display values to linear light (IEC 61966-2-1).

    Args:
        image: float [...], sRGB in [0, 1].

    Returns:
        The same shape, linear light in [0, 1]; its gradient is finite everywhere.
    """
    # Not `tf.where`, which takes as long as five other operations on CPUs: it is not vectorised.
    power = _power((tf.maximum(image, _SRGB_TOE) + 0.055) / 1.055, 2.4)
    return tf.minimum(image, _SRGB_TOE) / 12.92 + tf.nn.relu(power - _ABOVE_TOE)


def linear_to_srgb(light: tf.Tensor) -> tf.Tensor:
    """Linear light to display values, the inverse of `srgb_to_linear`; what is above 1 goes on smoothly.

    Args:
        light: float [...], from 0 on.

    Returns:
        The same shape, sRGB; its gradient is finite everywhere.
    """
    power = 1.055 * _power(tf.maximum(light, _TOE), 1.0 / 2.4) - 0.055
    return tf.minimum(light * 12.92, power)  # the line is below the curve where it holds, and above elsewhere


def soft_shoulder(light: tf.Tensor, gain: tf.Tensor) -> tf.Tensor:
    """Compresses light that a gain has raised, so that what was 1 before the gain is 1 after it.

    Extended Reinhard (Reinhard et al., SIGGRAPH 2002, equation 4) above the knee k, `KNEE`: with
    u = (x - k) / (1 - k) and M = (gain - k) / (1 - k), k + (1 - k)·u·(1 + u / M²) / (1 + u). The slope at
    the knee is 1. A gain of 1 or less changes nothing.

    Args:
        light: x, float [...], linear light times the gain.
        gain: float, broadcast against `light`.

    Returns:
        The same shape as `light`, at most 1 where `light` is at most max(gain, 1).
    """
    above = tf.maximum(light - KNEE, 0.0) / (1.0 - KNEE)
    largest = (tf.maximum(gain, 1.0) - KNEE) / (1.0 - KNEE)
    compressed = above * (1.0 + above / tf.square(largest)) / (1.0 + above)
    return tf.minimum(light, KNEE) + (1.0 - KNEE) * compressed


def expose(image: tf.Tensor, stops: tf.Tensor, *, keeps_hue: bool = False) -> tf.Tensor:
    """A photograph under another exposure.

    Args:
        image: float32 [N, H, W, 3], sRGB in [0, 1].
        stops: float32, broadcast against `image`: each stop doubles the linear light.
        keeps_hue: compress the largest of R, G and B, and the others in proportion. Each by itself, they come
            nearer to each other in highlights: orange turns yellow, and deep blue cyan. The stops must be the
            same for all three.

    Returns:
        float32 [N, H, W, 3], sRGB in [0, 1]: black stays black, white stays white for stops from 0 on.
    """
    shown, _ = _exposed(image, stops, keeps_hue)
    return shown


@tf.custom_gradient
def expose_trainably(image: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    """`expose`, whose gradient reaches the stops alone and takes a third of the time.

    Args:
        image: float32 [N, H, W, 3], sRGB in [0, 1]; nothing is learnt through it.
        stops: float32 [N, H, W, 3]. The shoulder's end is taken as fixed: it follows the gain.

    Returns:
        float32 [N, H, W, 3], sRGB in [0, 1].
    """
    shown, (light, gain) = _exposed(image, stops)

    def gradient(upstream):
        above = tf.nn.relu(light - KNEE) / (1.0 - KNEE)
        flatness = 1.0 / tf.square((tf.maximum(gain, 1.0) - KNEE) / (1.0 - KNEE))
        shoulder = (1.0 + above * (2.0 + above) * flatness) / tf.square(1.0 + above)
        dark = shown <= _SRGB_TOE
        # Of S = 1.055·y^(1/2.4) - 0.055 the slope is (S + 0.055) / (2.4·y), y the light that is shown.
        compressed = tf.minimum(light, KNEE) + (1.0 - KNEE) * above * (1.0 + above * flatness) / (1.0 + above)
        slope = tf.where(dark, 12.92, (shown + 0.055) / (2.4 * tf.maximum(compressed, _TOE)))
        return None, upstream * slope * shoulder * light * math.log(2.0)

    return shown, gradient


def _exposed(image: tf.Tensor, stops: tf.Tensor, keeps_hue: bool = False):
    """The exposed image, and (linear light before the shoulder, gain)."""
    gain = stops_to_gain(stops)
    light = srgb_to_linear(image) * gain
    if keeps_hue:
        largest = tf.reduce_max(light, axis=-1, keepdims=True)
        compressed = light * (soft_shoulder(largest, gain) / tf.maximum(largest, _LEAST_LIGHT))
    else:
        compressed = soft_shoulder(light, gain)
    return linear_to_srgb(tf.clip_by_value(compressed, 0.0, 1.0)), (light, gain)


def matching_stops(
    dark: tf.Tensor, bright: tf.Tensor, asked: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None
) -> tf.Tensor:
    """The exposure under which a dark image is on the whole as bright as another one; not differentiated.

    Compared is the mean BT.601 luma of what is averaged over 8×8 pixels first, so that noise which black has
    cut off counts little.

    Args:
        dark: float32 [N, H, W, 3], sRGB in [0, 1].
        bright: the same scene, the same shape.
        asked: from an image [N, h, w, 3] and stops [N] to the map that they stand for, [N, h, w, 1]; None
            takes the same stops everywhere.

    Returns:
        Stops, float32 [N], from 0 to `MOST_STOPS`.
    """
    dark, bright = (tf.nn.avg_pool2d(image, _CELL, _CELL, "SAME") for image in (dark, bright))
    wanted = _mean_luma(bright)
    stops = step = tf.fill(tf.shape(wanted), MOST_STOPS / 2.0)
    for _ in range(_HALVINGS):
        step /= 2.0
        places = asked(dark, stops) if asked else stops[:, tf.newaxis, tf.newaxis, tf.newaxis]
        shown = _mean_luma(expose(dark, places))
        stops += tf.where(shown < wanted, step, -step)
    is_less = _mean_luma(dark) < wanted
    return tf.stop_gradient(tf.where(is_less, stops, 0.0))


def _mean_luma(images: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(gray(images, BT601), axis=[1, 2, 3])


def light_ratio(darker: tf.Tensor, brighter: tf.Tensor, stops: tf.Tensor) -> tf.Tensor:
    """Y(darker) / Y(brighter), Y the largest of R, G and B, at most 1.

    Args:
        darker: float32 [N, H, W, 3], sRGB in [0, 1].
        brighter: the same under more light.
        stops: from the brighter one to the darker one, 0 or less, broadcast against [N, H, W, 1]; what it
            makes of the light is the ratio where both are black.

    Returns:
        float32 [N, H, W, 1].
    """
    darker, brighter = (tf.reduce_max(image, axis=-1, keepdims=True) for image in (darker, brighter))
    least = _BLACK * stops_to_gain(stops)
    return tf.minimum((darker + least) / (brighter + _BLACK), 1.0)


def stops_to_gain(stops: tf.Tensor) -> tf.Tensor:
    """The factor of linear light, 2^stops: the same shape."""
    return tf.exp(stops * math.log(2.0))


def _power(values: tf.Tensor, exponent: float) -> tf.Tensor:
    """x^p of x > 0. On CPUs `tf.pow` takes ten times as long: it is not vectorised."""
    return tf.exp(exponent * tf.math.log(values))
