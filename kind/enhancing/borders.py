"""A mirrored border around images, so that networks that pad with zeros leave no edge in the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import tensorflow as tf


def mirrored(images: np.ndarray | tf.Tensor, width: int) -> np.ndarray | tf.Tensor:
    """Adds a border that shows the images in a mirror, again and again where they are smaller than it.

    Args:
        images: [N, H, W, C], any size from 1×1; an array, or a tensor of unknown sizes.
        width: of the border in pixels, on each side.

    Returns:
        [N, H + 2·width, W + 2·width, C], array or tensor as given.
    """
    if not width:
        return images
    if isinstance(images, np.ndarray):
        rows, columns = ((-width, length + width) for length in images.shape[1:3])
        return mirrored_part(images, rows, columns)
    import tensorflow as tf

    for axis in (1, 2):
        length = tf.shape(images)[axis]
        # So many whole mirrors further: ONNX has another remainder of numbers below 0.
        pixels = tf.range(-width, length + width) + 2 * length * width
        images = tf.gather(images, _places(pixels, length, tf.minimum), axis=axis)
    return images


def mirrored_part(images: np.ndarray, rows: tuple[int, int], columns: tuple[int, int]) -> np.ndarray:
    """What `mirrored` holds from one pixel to another, without a copy of the whole.

    Args:
        images: [N, H, W, C].
        rows: first row, and one past the last, counted in the images; below 0 and from H on is the border.
        columns: likewise.

    Returns:
        [N, rows, columns, C].
    """
    for axis, (first, end) in ((1, rows), (2, columns)):
        length = images.shape[axis]
        if first >= 0 and end <= length:
            images = images[:, first:end] if axis == 1 else images[:, :, first:end]
        else:
            images = np.take(images, _places(np.arange(first, end), length, np.minimum), axis=axis)
    return images


def _places(pixels, length, minimum):
    """Which pixel of an image of a length is seen at a pixel that may be beyond it."""
    places = pixels % (2 * length)
    return minimum(places, 2 * length - 1 - places)


def without_border(images: tf.Tensor, width: int) -> tf.Tensor:
    """Takes the border away: [N, H + 2·width, W + 2·width, C] → [N, H, W, C]."""
    return images[:, width:-width, width:-width] if width else images
