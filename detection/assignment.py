"""Which anchor learns which object: task-aligned assignment."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from kind.detection.iou import complete_iou

TOP, ALPHA, BETA = 10, 0.5, 6.0


class Assignment(NamedTuple):
    """What each anchor should say; constants, no gradient goes through them.

    Attributes:
        boxes: float32 [N, A, 4], xyxy in pixels; of anchors without an object, zeros.
        scores: float32 [N, A, C] in [0, 1]; of anchors without an object, zeros.
        matched: bool [N, A], whether the anchor has an object.
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    matched: tf.Tensor


def assign(
    scores: tf.Tensor,
    predicted: tf.Tensor,
    centres: tf.Tensor,
    boxes: tf.Tensor,
    classes: tf.Tensor,
    *,
    top: int = TOP,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> Assignment:
    """Gives each object the anchors inside it that already see it best.

    With t = score^α · overlap^β (Feng et al., "TOOD", ICCV 2021, equation 2), each object takes the `top`
    anchors of the highest t whose centres lie in it; one taken by several goes to the object that it overlaps
    most. An anchor's score becomes t over the object's largest t, times the object's largest overlap.

    KerasCV's `YOLOV8LabelEncoder` is not used: it raises negative CIoU to an even power, so that the worst
    boxes align best, scores an anchor for objects that it was not given to, and calls every anchor matched.

    Args:
        scores: float32 [N, A, C], probabilities (not logits: α is a root).
        predicted: float32 [N, A, 4], boxes, xyxy in pixels.
        centres: float32 [A, 2], x and y of the anchors in pixels.
        boxes: float32 [N, G, 4], the objects, xyxy in pixels; G may be 0.
        classes: int32 [N, G]; -1 where there is no object.
        top: anchors an object, at most.
        alpha: α.
        beta: β.

    Returns:
        The assignment.

    Raises:
        tf.errors.InvalidArgumentError: when scores are logits, whose roots would be NaN and match nothing.
    """
    check = tf.debugging.assert_non_negative(scores, "assign expects probabilities; received logits")
    # One more object that is none: so there is always one to look for.
    boxes = tf.pad(boxes, [[0, 0], [0, 1], [0, 0]])
    classes = tf.pad(classes, [[0, 0], [0, 1]], constant_values=-1)
    with tf.control_dependencies([check] if check is not None else []):  # None when run eagerly
        # Targets are constants: otherwise the loss falls by predictions that lower their own targets.
        scores, predicted = tf.stop_gradient(scores), tf.stop_gradient(predicted)
    inside = tf.reduce_all(
        (centres > boxes[:, :, tf.newaxis, :2]) & (centres < boxes[:, :, tf.newaxis, 2:]), axis=-1
    )
    candidates = inside & (classes >= 0)[..., tf.newaxis]  # [N, G, A]
    own = tf.gather(tf.transpose(scores, [0, 2, 1]), tf.maximum(classes, 0), batch_dims=1)  # [N, G, A]
    overlap = complete_iou(boxes[:, :, tf.newaxis], predicted[:, tf.newaxis])
    overlap = tf.where(candidates, tf.maximum(overlap, 0.0), 0.0)
    alignment = own**alpha * overlap**beta

    best = tf.math.top_k(alignment, tf.minimum(top, tf.shape(alignment)[-1]), sorted=True).values
    taken = (alignment >= best[..., -1:]) & (alignment > 0.0)
    owner = tf.argmax(tf.where(taken, overlap, -1.0), axis=1, output_type=tf.int32)  # [N, A]
    numbers = tf.range(tf.shape(boxes)[1])[:, tf.newaxis]  # [G, 1]
    taken &= owner[:, tf.newaxis] == numbers
    matched = tf.reduce_any(taken, axis=1)

    alignment, overlap = tf.where(taken, alignment, 0.0), tf.where(taken, overlap, 0.0)
    largest = tf.reduce_max(alignment, axis=-1, keepdims=True)
    scale = tf.reduce_max(overlap, axis=-1, keepdims=True)
    strength = tf.reduce_max(tf.math.divide_no_nan(alignment, largest) * scale, axis=1)  # [N, A]
    label = tf.gather(classes, owner, batch_dims=1)
    targets = tf.gather(boxes, owner, batch_dims=1)
    return Assignment(
        tf.where(matched[..., tf.newaxis], targets, 0.0),
        tf.one_hot(label, scores.shape[-1]) * strength[..., tf.newaxis],
        matched,
    )
