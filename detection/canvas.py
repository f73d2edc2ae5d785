"""Photographs put onto the detector's square, alone or four together, with their boxes."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from kind.detection.letterbox import GREY

OUTSIDE = -1.0
"""Stands on a canvas where no photograph is, so that stretch and networks do not take it for one."""

_SMALLEST_PART, _SMALLEST_SIDE = 0.1, 2.0
_CENTRE = (0.3, 0.7)  # where the four photographs of a mosaic meet, as parts of the canvas


class Piece(NamedTuple):
    """A photograph, or several of them on a canvas.

    Attributes:
        image: float32 [H, W, 3] in [0, 1], or `OUTSIDE`.
        boxes: float32 [G, 4], xyxy in pixels.
        classes: int32 [G].
    """

    image: tf.Tensor
    boxes: tf.Tensor
    classes: tf.Tensor


def fitted(piece: Piece, size: int) -> Piece:
    """The photograph as large as it fits, at the top left, as `detection.letterbox` has it.

    Args:
        piece: any size.
        size: side of the canvas.

    Returns:
        A canvas [size, size, 3], with all boxes, however small.
    """
    scale = _fitting(piece, size)
    placed = _placed(piece, size, scale, tf.zeros([2]), tf.zeros([2]), tf.fill([2], float(size)))
    return placed._replace(boxes=piece.boxes * scale, classes=piece.classes)


def scattered(piece: Piece, size: int, scale: float, seed: tf.Tensor) -> Piece:
    """The photograph larger or smaller than it fits, anywhere; what does not fit is cut off.

    Args:
        piece: any size.
        size: side of the canvas.
        scale: the photograph's longer side is size times uniform [1 - scale, 1 + scale].
        seed: int32 [2].

    Returns:
        A canvas [size, size, 3], without the boxes of which less than a tenth is left.
    """
    draws = tf.random.stateless_uniform([3], seed)
    factor = _fitting(piece, size) * (1.0 - scale + 2.0 * scale * draws[0])
    room = size - tf.cast(tf.shape(piece.image)[:2], tf.float32) * factor  # negative: it is cut
    return _placed(piece, size, factor, room * draws[1:], tf.zeros([2]), tf.fill([2], float(size)))


def mosaic(pieces: list[Piece], size: int, scale: float, seed: tf.Tensor) -> Piece:
    """Four photographs that meet in a random point (Bochkovskiy et al., YOLOv4, 2020, section 3.4).

    Published: a canvas of twice the side, from which an affine transformation cuts the final one. Here: the
    final canvas at once, which costs a quarter.

    Args:
        pieces: four, any sizes.
        size: side of the canvas.
        scale: see `scattered`.
        seed: int32 [2].

    Returns:
        A canvas [size, size, 3].
    """
    draws = tf.random.stateless_uniform([6], seed)
    low, high = _CENTRE
    centre = tf.round(size * (low + (high - low) * draws[:2]))
    canvases = []
    for number, piece in enumerate(pieces):
        before = tf.constant([number // 2 == 0, number % 2 == 0])  # above, left of the centre
        factor = _fitting(piece, size) * (1.0 - scale + 2.0 * scale * draws[2 + number])
        shape = tf.round(tf.cast(tf.shape(piece.image)[:2], tf.float32) * factor)
        start = tf.where(before, centre - shape, centre)
        low_end, high_end = tf.where(before, 0.0, centre), tf.where(before, centre, float(size))
        canvases.append(_placed(piece, size, factor, start, low_end, high_end))
    images, boxes, classes = zip(*canvases)
    # Windows do not overlap, and outside is below all colours.
    return Piece(tf.reduce_max(images, axis=0), tf.concat(boxes, 0), tf.concat(classes, 0))


def mirrored(piece: Piece) -> Piece:
    """Left becomes right."""
    width = tf.cast(tf.shape(piece.image)[1], tf.float32)
    left, top, right, bottom = tf.unstack(piece.boxes, axis=-1)
    boxes = tf.stack([width - right, top, width - left, bottom], axis=-1)
    return piece._replace(image=piece.image[:, ::-1], boxes=boxes)


def recoloured(image: tf.Tensor, jitter: float, seed: tf.Tensor) -> tf.Tensor:
    """Brightness and saturation multiplied by uniform [1 - jitter, 1 + jitter].

    Args:
        image: float32 [H, W, 3] in [0, 1].
        jitter: in [0, 1].
        seed: int32 [2].

    Returns:
        float32 [H, W, 3] in [0, 1].
    """
    brightness, saturation = tf.unstack(tf.random.stateless_uniform([2], seed, 1 - jitter, 1 + jitter))
    grey = tf.reduce_mean(image, axis=-1, keepdims=True)
    return tf.clip_by_value((grey + (image - grey) * saturation) * brightness, 0.0, 1.0)


def filled(canvases: tf.Tensor) -> tf.Tensor:
    """Canvases → images without an outside: it gets the mean colour, which no stretch notices.

    Args:
        canvases: float32 [N, S, S, 3].

    Returns:
        float32 [N, S, S, 3] in [0, 1].
    """
    inside = tf.cast(canvases >= 0.0, canvases.dtype)
    count = tf.maximum(tf.reduce_sum(inside, axis=[1, 2], keepdims=True), 1.0)
    mean = tf.reduce_sum(canvases * inside, axis=[1, 2], keepdims=True) / count
    return tf.where(canvases < 0.0, mean, canvases)


def on_grey(images: tf.Tensor, canvases: tf.Tensor) -> tf.Tensor:
    """What the detector sees: images, and the grey of `detection.letterbox` outside.

    Args:
        images: float32 [N, S, S, 3], made of `canvases`.
        canvases: float32 [N, S, S, 3].

    Returns:
        float32 [N, S, S, 3] in [0, 1].
    """
    return tf.where(canvases < 0.0, tf.constant(GREY, images.dtype), images)


def _fitting(piece: Piece, size: int) -> tf.Tensor:
    return size / tf.cast(tf.reduce_max(tf.shape(piece.image)[:2]), tf.float32)


def _placed(
    piece: Piece, size: int, scale: tf.Tensor, start: tf.Tensor, low: tf.Tensor, high: tf.Tensor
) -> Piece:
    """A resized photograph with its top left corner at `start`, cut to the window from `low` to `high`.

    Points are y, x in pixels of the canvas, float32 [2].
    """
    shape = tf.cast(tf.shape(piece.image)[:2], tf.float32)
    inner = tf.maximum(tf.round(shape * scale), 1.0)
    image = tf.image.resize(piece.image, tf.cast(inner, tf.int32), "bilinear", antialias=True)
    start = tf.round(start)
    first, last = tf.maximum(start, low), tf.maximum(tf.minimum(start + inner, high), tf.maximum(start, low))
    begin, end = (tf.cast(point - start, tf.int32) for point in (first, last))
    part = tf.clip_by_value(image[begin[0] : end[0], begin[1] : end[1]], 0.0, 1.0)
    before, after = tf.cast(first, tf.int32), size - tf.cast(last, tf.int32)
    padding = [[before[0], after[0]], [before[1], after[1]], [0, 0]]
    canvas = tf.pad(part, padding, constant_values=OUTSIDE)
    canvas = tf.ensure_shape(canvas, [size, size, piece.image.shape[-1]])

    moved = piece.boxes * scale + tf.tile(start[::-1], [2])
    cut = tf.clip_by_value(moved, tf.tile(first[::-1], [2]), tf.tile(last[::-1], [2]))
    sides, whole = cut[:, 2:] - cut[:, :2], moved[:, 2:] - moved[:, :2]
    share = tf.reduce_prod(sides, axis=-1) / tf.maximum(tf.reduce_prod(whole, axis=-1), 1e-6)
    seen = (share >= _SMALLEST_PART) & (tf.reduce_min(sides, axis=-1) >= _SMALLEST_SIDE)
    return Piece(canvas, cut[seen], piece.classes[seen])
