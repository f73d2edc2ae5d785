"""Gaussian windows and blur."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf


def gaussian_window(radius: int, sigma: float) -> np.ndarray:
    """A Gaussian sampled at the integers from -radius to radius, of sum 1: float32 [2·radius + 1]."""
    positions = np.arange(-radius, radius + 1, dtype=np.float64)
    window = np.exp(-0.5 * (positions / sigma) ** 2)
    return (window / window.sum()).astype(np.float32)


def filter_separably(image: tf.Tensor, window: np.ndarray) -> tf.Tensor:
    """Filters each channel with `window` along the height and then the width, VALID.

    Args:
        image: float32 [N, H, W, C].
        window: float32 [K], symmetric.

    Returns:
        float32 [N, H-K+1, W-K+1, C].
    """
    channels = image.shape[-1]
    kernel = tf.tile(tf.reshape(tf.constant(window), [-1, 1, 1, 1]), [1, 1, channels, 1])
    image = tf.nn.depthwise_conv2d(image, kernel, [1, 1, 1, 1], "VALID")
    return tf.nn.depthwise_conv2d(image, tf.transpose(kernel, [1, 0, 2, 3]), [1, 1, 1, 1], "VALID")


def gaussian_blur(image: tf.Tensor, sigma: float, truncate: float = 4.0) -> tf.Tensor:
    """Blurs with the border repeated, as scikit-image's `gaussian` does by default.

    Args:
        image: float32 [N, H, W, C].
        sigma: standard deviation in pixels.
        truncate: the window ends at this many standard deviations.

    Returns:
        float32 [N, H, W, C].
    """
    radius = math.floor(truncate * sigma + 0.5)
    height, width = tf.shape(image)[1], tf.shape(image)[2]
    rows = tf.clip_by_value(tf.range(-radius, height + radius), 0, height - 1)
    columns = tf.clip_by_value(tf.range(-radius, width + radius), 0, width - 1)
    padded = tf.gather(tf.gather(image, rows, axis=1), columns, axis=2)
    return filter_separably(padded, gaussian_window(radius, sigma))
