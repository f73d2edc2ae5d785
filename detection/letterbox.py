"""Any image size into a canvas that the detector takes, and boxes there and back."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

MULTIPLE = 32
"""The detector's coarsest stride: sides of its input are multiples of it."""

GREY = 114.0 / 255.0
"""The colour of the canvas where no image is, as in YOLOv8's and YOLOX's training."""


class Letterboxed(NamedTuple):
    """Images on their canvas.

    Attributes:
        images: float32 [N, H', W', 3], the image at the top left.
        scale: float32 scalar: pixels of the canvas for one of the image.
        height: int32 scalar, of the image on the canvas; `width` likewise.
        width: see `height`.
    """

    images: tf.Tensor
    scale: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor


def letterbox(images: tf.Tensor, size: int, *, square: bool = False, grey: float = GREY) -> Letterboxed:
    """Resizes images, keeping their proportions, so that the longer side is `size`.

    Args:
        images: float32 [N, H, W, 3] in [0, 1], any size from 1×1.
        size: of the longer side, in pixels; a multiple of 32.
        square: fill up to size×size, which batches of different images need; otherwise only to the
            next multiples of 32, which costs less to look at.
        grey: the colour of the canvas, in [0, 1].

    Returns:
        The canvas, and what `to_canvas` and `to_image` need of it.

    Raises:
        ValueError: a size that is not a positive multiple of 32.
    """
    if size < MULTIPLE or size % MULTIPLE:
        raise ValueError(f"the detector's input size expects a multiple of {MULTIPLE}; received {size}")
    shape = tf.shape(images)[1:3]
    sides = tf.cast(shape, tf.float32)
    scale = size / tf.reduce_max(sides)
    inner = tf.clip_by_value(tf.cast(tf.round(sides * scale), tf.int32), 1, size)
    # Resizing to the same size is the identity, but not when it smooths.
    resized = tf.cond(
        tf.reduce_all(inner == shape),
        lambda: images,
        lambda: tf.clip_by_value(tf.image.resize(images, inner, "bilinear", antialias=True), 0.0, 1.0),
    )
    outer = tf.fill([2], size) if square else (inner + MULTIPLE - 1) // MULTIPLE * MULTIPLE
    missing = outer - inner
    padding = [[0, 0], [0, missing[0]], [0, missing[1]], [0, 0]]
    canvas = tf.pad(resized, padding, constant_values=grey)
    sides = [size, size] if square else [None, None]
    return Letterboxed(tf.ensure_shape(canvas, [None, *sides, 3]), scale, inner[0], inner[1])


def to_canvas(boxes: tf.Tensor, letterboxed: Letterboxed) -> tf.Tensor:
    """Boxes in pixels of the image → in pixels of the canvas; float32 [..., 4]."""
    return boxes * letterboxed.scale


def to_image(boxes: tf.Tensor, letterboxed: Letterboxed, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Boxes in pixels of the canvas → in pixels of the image, cut at its border.

    Args:
        boxes: float32 [..., 4], xyxy.
        letterboxed: the canvas.
        height: of the image, scalar; `width` likewise.
        width: see `height`.

    Returns:
        float32 [..., 4].
    """
    limits = tf.cast(tf.stack([width, height, width, height]), tf.float32)
    return tf.clip_by_value(boxes / letterboxed.scale, 0.0, limits)
