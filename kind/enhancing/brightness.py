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
_FIRST_TRIAL = 1.5  # stops
_LARGEST_STEP = 2.0  # stops
_TRIED_VALUES = 256 * 256 * 3


def luma(images: tf.Tensor | np.ndarray) -> tf.Tensor:
    """Mean BT.601 luma of float32 [..., 3] from 0 on, which are shown up to 1: float32 scalar."""
    return tf.reduce_mean(tf.reduce_sum(tf.minimum(images, 1.0) * tf.constant(BT601), axis=-1))


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


def thinned(images: np.ndarray | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Every n-th pixel of every n-th row, about 65,536: what α is tried out on.

    Means of squares would be too dark: their noise is gone, which adds light where it is brightened.

    Args:
        images: [1, H, W, 3], of any type and size.

    Returns:
        The same type.
    """
    if isinstance(images, np.ndarray):
        step = math.ceil(math.sqrt(images.size / _TRIED_VALUES))
        return images[:, ::step, ::step]
    step = tf.sqrt(tf.cast(tf.size(images), tf.float32) * (1.0 / _TRIED_VALUES))
    step = tf.cast(tf.math.ceil(step), tf.int32)
    some = images[:, ::step, ::step]
    some.set_shape([1, None, None, 3])
    return some


def solved_alpha(brightness_of: Callable[[tf.Tensor], tf.Tensor], wanted: float | tf.Tensor) -> tf.Tensor:
    """α under which an output has a mean luma: Newton's method in log α, kept inside a bracket.

    The slope is taken from the last two trials; where a step would leave the bracket, it is halved.

    Args:
        brightness_of: the mean luma under an α; never falls much while α grows.
        wanted: mean luma, in [0, 1].

    Returns:
        The α that came closest, float32 scalar, which is within 1/1024 where the output can be so bright.
        Works inside a graph, too.
    """

    def goes_on(trial, place, previous, error, slope, least, most):
        return (trial < _MOST_TRIALS) & (tf.abs(error) >= _CLOSE)

    def try_out(trial, place, previous, error, slope, least, most):
        before, error = error, tf.cast(brightness_of(2.0**place), tf.float32) - wanted
        is_dark = error < 0
        least, most = tf.where(is_dark, place, least), tf.where(is_dark, most, place)
        rise = tf.math.divide_no_nan(error - before, place - previous)  # 0 at the first trial
        slope = tf.where(rise > _TINY, rise, slope)
        further = place - tf.clip_by_value(error / slope, -_LARGEST_STEP, _LARGEST_STEP)
        inside = (least < further) & (further < most)
        return trial + 1.0, tf.where(inside, further, (least + most) / 2), place, error, slope, least, most

    start = (0.0, _FIRST_TRIAL, _FIRST_TRIAL, 1.0, 0.1, -12.0, 16.0)
    _, _, last, *_ = tf.while_loop(goes_on, try_out, tuple(map(tf.constant, start)))
    return 2.0**last
