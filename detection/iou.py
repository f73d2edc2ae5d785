"""How well two boxes overlap, also when they do not."""

from __future__ import annotations

import math

import tensorflow as tf

_EPSILON = 1e-7


def complete_iou(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Complete IoU (Zheng et al., "Distance-IoU Loss", AAAI 2020, equations 8 to 11).

    IoU - ρ²/c² - α·v: what is shared over what is covered, less the squared distance of the centres over the
    squared diagonal of both, less v = 4/π²·(difference of the diagonals' angles)² times α = v/(1 - IoU + v),
    through which no gradient goes (equation 12).

    KerasCV's `compute_ciou` is not used: it squares 4/π², too.

    Args:
        boxes: float32 [..., 4], xyxy.
        others: float32 [..., 4]; shapes are broadcast.

    Returns:
        float32 [...] in (-2, 1], 1 for equal boxes; finite also for boxes without area.
    """
    start, end = tf.maximum(boxes[..., :2], others[..., :2]), tf.minimum(boxes[..., 2:], others[..., 2:])
    shared = tf.reduce_prod(tf.maximum(end - start, 0.0), axis=-1)
    sides, other_sides = boxes[..., 2:] - boxes[..., :2], others[..., 2:] - others[..., :2]
    covered = tf.reduce_prod(sides, axis=-1) + tf.reduce_prod(other_sides, axis=-1) - shared
    iou = shared / (covered + _EPSILON)

    around = tf.maximum(boxes[..., 2:], others[..., 2:]) - tf.minimum(boxes[..., :2], others[..., :2])
    apart = (boxes[..., :2] + boxes[..., 2:] - others[..., :2] - others[..., 2:]) / 2.0
    distance = tf.reduce_sum(apart**2, axis=-1) / (tf.reduce_sum(around**2, axis=-1) + _EPSILON)

    turn = _angle(sides) - _angle(other_sides)
    aspect = 4.0 / math.pi**2 * turn**2
    weight = tf.stop_gradient(aspect / (1.0 - iou + aspect + _EPSILON))
    return iou - distance - weight * aspect


def _angle(sides: tf.Tensor) -> tf.Tensor:
    """Of a box's diagonal to the vertical, from its width and height."""
    return tf.atan(sides[..., 0] / (sides[..., 1] + _EPSILON))
