"""The min-max stretch that every image goes through on its way to the decomposition."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_SMALLEST_RANGE = 1e-3


def min_max_stretch(images: tf.Tensor) -> tf.Tensor:
    """Stretches each image so that its darkest value is 0 and its brightest 1, all channels together.

    (x - min) / max(max - min, 0.001), as in the published loading code; the lower bound makes a
    constant image black instead of undefined.

    Args:
        images: float32 [N, H, W, C] in [0, 1].

    Returns:
        float32 [N, H, W, C] in [0, 1].
    """
    return stretched_by(images, *value_range(images))


def value_range(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The smallest and the largest value of each image: float32 [N, 1, 1, 1] both, from [N, H, W, C]."""
    return over_channels(*channel_ranges(images))


def channel_ranges(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The smallest and the largest value in each channel: float32 [N, 1, 1, C] both, from [N, H, W, C]."""
    # One axis at a time is several times as fast as two.
    smallest = tf.reduce_min(tf.reduce_min(images, axis=1, keepdims=True), axis=2, keepdims=True)
    return smallest, tf.reduce_max(tf.reduce_max(images, axis=1, keepdims=True), axis=2, keepdims=True)


def channel_ranges_of_array(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What `channel_ranges` gives, without a tensor of what may be large; levels count from 0 to 1."""
    smallest = images.min(axis=1, keepdims=True).min(axis=2, keepdims=True)
    both = smallest, images.max(axis=1, keepdims=True).max(axis=2, keepdims=True)
    largest = np.iinfo(images.dtype).max if images.dtype.kind == "u" else 1
    return tuple(np.divide(one, np.float32(largest), dtype=np.float32) for one in both)


def over_channels(smallest: tf.Tensor, largest: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """What `value_range` gives, from what `channel_ranges` gives."""
    return tf.reduce_min(smallest, axis=-1, keepdims=True), tf.reduce_max(largest, axis=-1, keepdims=True)


def stretched_by(images: tf.Tensor, smallest: tf.Tensor, largest: tf.Tensor) -> tf.Tensor:
    """What `min_max_stretch` makes of parts of images whose `value_range` is given: float32 [N, H, W, C]."""
    return (images - smallest) / tf.maximum(largest - smallest, _SMALLEST_RANGE)
