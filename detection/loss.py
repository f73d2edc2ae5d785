"""What a detector is trained for."""

from __future__ import annotations

import tensorflow as tf

from kind.detection.assignment import assign
from kind.detection.decoding import anchor_points, decode_boxes
from kind.detection.iou import complete_iou
from kind.detection.yolov8 import BINS

TERMS = ("loss", "box", "class", "distribution")
BOX_WEIGHT, CLASS_WEIGHT, DISTRIBUTION_WEIGHT = 7.5, 0.5, 1.5

# Only float32's own limits: with Keras's 1e-7 a rare object's score would have no gradient.
_SMALLEST, _LARGEST = 1e-30, 1.0 - 2.0**-24
_FARTHEST = BINS - 1 - 0.01


def detection_loss(
    raw: dict[str, tf.Tensor],
    boxes: tf.Tensor,
    classes: tf.Tensor,
    size: int,
    *,
    box_weight: float = BOX_WEIGHT,
    class_weight: float = CLASS_WEIGHT,
    distribution_weight: float = DISTRIBUTION_WEIGHT,
    scale: float = 1.0,
) -> dict[str, tf.Tensor]:
    """YOLOv8's loss: complete IoU, binary cross-entropy and distribution focal loss.

    It trains every architecture here. YOLOX has no distributions: that term is 0. Paper (YOLOX): SimOTA
    assigns, and objectness and classes have a cross-entropy each. Here: the same task-aligned assignment as
    YOLOv8's (its target, an overlap, is what objectness times class comes to in YOLOX) and one cross-entropy
    of that product, so that both architectures are compared on equal terms.

    All three are sums over anchors, the first and the last weighted with the anchor's target score, divided
    by max(sum of the target scores, 1). A batch without any object is finite: only its classes count.

    Args:
        raw: the detector's outputs: `boxes` float32 [N, A, 64] or [N, A, 4], see `decode_boxes`, and
            `classes` float32 [N, A, C], probabilities.
        boxes: float32 [N, G, 4], the objects, xyxy in pixels of the detector's square input; G may be 0.
        classes: int32 [N, G]; -1 where there is no object.
        size: side of the input in pixels.
        box_weight: of 1 - CIoU (Zheng et al., AAAI 2020).
        class_weight: of the cross-entropy with the target scores of `detection.assignment`.
        distribution_weight: of the distribution focal loss (Li et al., NeurIPS 2020, equation 6).
        scale: of the total alone. Published: the batch size, which published learning rates go with.

    Returns:
        float32 scalars by name, see `TERMS`: the unweighted terms, and "loss", the weighted total.
    """
    centres, strides = anchor_points(size, size)
    predicted = decode_boxes(raw["boxes"], size, size)
    target = assign(raw["classes"], predicted, centres, boxes, classes)
    weights = tf.reduce_sum(target.scores, axis=-1)  # [N, A]
    divisor = tf.maximum(tf.reduce_sum(weights), 1.0)
    terms = {
        "box": weights * (1.0 - complete_iou(target.boxes, predicted)),
        "class": cross_entropy(target.scores, raw["classes"]),
    }
    if raw["boxes"].shape[-1] == 4 * BINS:
        distances = [centres - target.boxes[..., :2], target.boxes[..., 2:] - centres]
        distances = tf.concat(distances, axis=-1) / strides
        terms["distribution"] = weights * distribution_focal_loss(distances, raw["boxes"])
    else:
        terms["distribution"] = tf.zeros_like(weights)
    terms = {name: tf.reduce_sum(term) / divisor for name, term in terms.items()}
    total = (
        box_weight * terms["box"]
        + class_weight * terms["class"]
        + distribution_weight * terms["distribution"]
    )
    return {"loss": scale * total, **terms}


def cross_entropy(targets: tf.Tensor, probabilities: tf.Tensor) -> tf.Tensor:
    """-(t·log p + (1 - t)·log(1 - p)), element by element.

    Args:
        targets: t, float32 in [0, 1], any shape.
        probabilities: p, the same shape.

    Returns:
        float32, the same shape, finite.
    """
    p = tf.clip_by_value(probabilities, _SMALLEST, _LARGEST)
    return -(targets * tf.math.log(p) + (1.0 - targets) * tf.math.log1p(-p))


def distribution_focal_loss(distances: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """How far distributions of distances are from the two bins around the true distance.

    With the distance d between the bins i and i + 1: -((i + 1 - d)·log p_i + (d - i)·log p_{i+1}).

    Args:
        distances: float32 [N, A, 4], left, top, right and bottom in strides; cut to [0, 14.99].
        logits: float32 [N, A, 64].

    Returns:
        float32 [N, A], the mean over the four sides.
    """
    shape = tf.shape(logits)
    logarithms = tf.nn.log_softmax(tf.reshape(logits, [shape[0], shape[1], 4, BINS]))
    distances = tf.clip_by_value(distances, 0.0, _FARTHEST)[..., tf.newaxis]
    shares = tf.maximum(1.0 - tf.abs(distances - tf.range(BINS, dtype=tf.float32)), 0.0)
    return -tf.reduce_mean(tf.reduce_sum(shares * logarithms, axis=-1), axis=-1)
