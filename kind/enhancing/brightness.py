"""Brightness, the mean luma of a photograph, and the α that gives it."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kind.constants import BT601
from kind.ops.light import expose

SIDE = 32
"""Of the thumbnails that `light_curve` measures, in pixels."""

_FIRST, _LAST, _PER_STOP = -8, 12, 4
_STOPS = np.arange(_FIRST * _PER_STOP, _LAST * _PER_STOP + 1, dtype=np.float32) / _PER_STOP
_TINY = 1e-6
_CLOSE = 1 / 1024  # a quarter of an 8-bit level
_MOST_TRIALS = 16
_LARGEST_STEP = 2.0  # stops that a first guess is away at most
_TRIED_PIXELS = 256 * 256


def luma(images: np.ndarray) -> float:
    """Mean BT.601 luma of float [..., 3] in [0, 1]."""
    return float(np.mean(np.clip(images, 0.0, 1.0) @ np.array(BT601, np.float32)))


def light_curve(thumbnails: tf.Tensor) -> tf.Tensor:
    """Mean luma of images under every quarter of a stop from -8 to 12.

    Args:
        thumbnails: float32 [N, h, w, 3], sRGB in [0, 1].

    Returns:
        float32 [N, 81], never falling.
    """
    stops = tf.constant(_STOPS)[:, tf.newaxis, tf.newaxis, tf.newaxis]
    exposed = expose(thumbnails[:, tf.newaxis], stops)
    return tf.reduce_mean(tf.reduce_sum(exposed * tf.constant(BT601), axis=-1), axis=[2, 3])


def luma_under(curve: tf.Tensor, alpha: tf.Tensor) -> tf.Tensor:
    """Mean luma of images with α times the linear light.

    Args:
        curve: of `light_curve`, float32 [N, 81].
        alpha: float32 [N], from 0 on.

    Returns:
        float32 [N], by linear interpolation in log α.
    """
    stops = tf.math.log(tf.maximum(alpha, _TINY)) / math.log(2.0)
    place = tf.clip_by_value((stops - _FIRST) * _PER_STOP, 0.0, float(len(_STOPS) - 1))
    shares = tf.nn.relu(1.0 - tf.abs(place[:, tf.newaxis] - tf.range(float(len(_STOPS)))))
    return tf.reduce_sum(shares * curve, axis=-1)


def alpha_for_luma(curve: tf.Tensor, brightness: tf.Tensor) -> tf.Tensor:
    """The inverse of `luma_under`.

    Args:
        curve: of `light_curve`, float32 [N, 81].
        brightness: mean luma, float32 [N].

    Returns:
        α, float32 [N], from 2^-8 to 2^12; of a black image, for which there is none, 2^12.
    """
    below = tf.cast(curve < brightness[:, tf.newaxis], tf.float32)
    after = tf.clip_by_value(tf.reduce_sum(below, axis=-1), 1.0, float(len(_STOPS) - 1))
    low, high = (
        tf.reduce_sum(
            tf.nn.relu(1.0 - tf.abs(place[:, tf.newaxis] - tf.range(float(len(_STOPS))))) * curve, -1
        )
        for place in (after - 1.0, after)
    )
    share = tf.clip_by_value((brightness - low) / tf.maximum(high - low, _TINY), 0.0, 1.0)
    return tf.exp(((after - 1.0 + share) / _PER_STOP + _FIRST) * math.log(2.0))


def tried_factor(height: int, width: int) -> int:
    """The side of the squares that an image is averaged over before α is tried out on it."""
    return max(1, math.ceil(math.sqrt(height * width / _TRIED_PIXELS)))


def solved_alpha(brightness_of: Callable[[float], float], wanted: float, start: float) -> float:
    """α under which an output has a mean luma: Newton's method in log α, kept inside a bracket.

    The slope is taken from the last two trials; where a step would leave the bracket, it is halved.

    Args:
        brightness_of: the mean luma under an α; never falls much while α grows.
        wanted: mean luma, in [0, 1].
        start: first α to try, above 0.

    Returns:
        The α that came closest, which is within 1/1024 where the output can be so bright.
    """
    least, most = -12.0, 16.0
    place = previous = math.log2(start)
    tried: dict[float, float] = {}
    slope = 0.1
    for _ in range(_MOST_TRIALS):
        tried[place] = error = brightness_of(2.0**place) - wanted
        if abs(error) < _CLOSE:
            break
        least, most = (place, most) if error < 0 else (least, place)
        if place != previous and (rise := (error - tried[previous]) / (place - previous)) > _TINY:
            slope = rise
        previous, step = place, -error / slope
        place += float(np.clip(step, -_LARGEST_STEP, _LARGEST_STEP))
        if not least < place < most:
            place = (least + most) / 2
        if most - least < 1e-3:
            break
    return 2.0 ** min(tried, key=lambda one: abs(tried[one]))
