"""A mirrored border around images, so that networks that pad with zeros leave no edge in the picture."""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def mirrored(images: np.ndarray | tf.Tensor, width: int) -> np.ndarray | tf.Tensor:
    """Adds a border that shows the images in a mirror, again and again where they are smaller than it.

    Args:
        images: [N, H, W, C], any size from 1×1; an array, or a tensor of unknown sizes.
        width: of the border in pixels, on each side.

    Returns:
        [N, H + 2·width, W + 2·width, C], array or tensor as given.
    """
    if isinstance(images, np.ndarray):
        return np.pad(images, ((0, 0), (width, width), (width, width), (0, 0)), mode="symmetric")
    for axis in (1, 2):
        length = tf.shape(images)[axis]
        places = tf.range(-width, length + width) % (2 * length)
        images = tf.gather(images, tf.minimum(places, 2 * length - 1 - places), axis=axis)
    return images


def without_border(images: tf.Tensor, width: int) -> tf.Tensor:
    """Takes the border away: [N, H + 2·width, W + 2·width, C] → [N, H, W, C]."""
    return images[:, width:-width, width:-width] if width else images
