"""From the detector's raw outputs to boxes: distances, anchors, suppression. Works inside any graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import tensorflow as tf
from tensorflow import keras

from kind.constants import CONFIDENCE, IOU, MAX_DETECTIONS
from kind.detection.letterbox import GREY, MULTIPLE, Letterboxed, letterbox, to_image
from kind.detection.sizes import PUBLISHED_INPUT_SIZE
from kind.detection.yolov8 import BINS, STRIDES

_LARGEST_LOGARITHM = 10.0  # of a box's side in strides: far beyond any image, and its exponential is finite


class Detections(NamedTuple):
    """Boxes of a batch, sorted by score; rows from `counts` on are zeros.

    Attributes:
        boxes: float32 [N, M, 4], left, top, right, bottom in pixels.
        scores: float32 [N, M] in [0, 1].
        classes: int32 [N, M].
        counts: int32 [N], boxes of each image.
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    classes: tf.Tensor
    counts: tf.Tensor


def anchor_points(height: tf.Tensor | int, width: tf.Tensor | int) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the detector's outputs sit.

    Args:
        height: of the detector's input, a multiple of 32, also one known only when the graph runs.
        width: likewise.

    Returns:
        Centres float32 [A, 2], x and y in pixels, and strides float32 [A, 1]; row by row, stride 8 first.
    """
    centres, strides = [], []
    for stride in STRIDES:
        rows = tf.cast(tf.range(height // stride), tf.float32)
        columns = tf.cast(tf.range(width // stride), tf.float32)
        x, y = tf.meshgrid((columns + 0.5) * stride, (rows + 0.5) * stride)  # [rows, columns]
        points = tf.reshape(tf.stack([x, y], axis=-1), [-1, 2])
        centres.append(points)
        strides.append(tf.fill([tf.shape(points)[0], 1], float(stride)))
    return tf.concat(centres, axis=0), tf.concat(strides, axis=0)


def decode_boxes(raw: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """A detector's output `boxes` → boxes. The number of channels says which of two codings it has.

    4·16 channels, YOLOv8: logits of a distribution for each side. The side's distance from the anchor's
    centre is its mean (Li et al., "Generalized Focal Loss", NeurIPS 2020, equation 3), in strides.
    4 channels, YOLOX: dx, dy, log w and log h. The centre lies (dx, dy) from the upper left corner of the
    anchor's cell, w and h are the sides, all in strides (Ge et al., arXiv:2107.08430, as in YOLOv3).

    Args:
        raw: float32 [N, A, 64] or [N, A, 4].
        height: of the detector's input.
        width: likewise.

    Returns:
        float32 [N, A, 4], left, top, right, bottom in pixels of the detector's input; not cut at its border.

    Raises:
        ValueError: another number of channels.
    """
    centres, strides = anchor_points(height, width)
    if raw.shape[-1] == 4:
        middles = centres + (raw[..., :2] - 0.5) * strides
        halves = tf.exp(tf.minimum(raw[..., 2:], _LARGEST_LOGARITHM)) * strides / 2.0
        return tf.concat([middles - halves, middles + halves], axis=-1)
    if raw.shape[-1] != 4 * BINS:
        raise ValueError(f"boxes expects 4 or {4 * BINS} channels; received {raw.shape[-1]}")
    shape = tf.shape(raw)
    distributions = tf.nn.softmax(tf.reshape(raw, [shape[0], shape[1], 4, BINS]))
    distances = tf.linalg.matvec(distributions, tf.range(BINS, dtype=tf.float32)) * strides  # [N, A, 4]
    return tf.concat([centres - distances[..., :2], centres + distances[..., 2:]], axis=-1)


def suppress(
    boxes: tf.Tensor,
    scores: tf.Tensor,
    *,
    confidence: float = CONFIDENCE,
    iou: float = IOU,
    max_detections: int = MAX_DETECTIONS,
) -> Detections:
    """Keeps, for each class by itself, the best of the boxes that overlap.

    KerasCV suppresses across classes and stops at 100 boxes. Here: a face on a person is not suppressed,
    and a crowd may have thousands of boxes.

    Args:
        boxes: float32 [N, A, 4], xyxy.
        scores: float32 [N, A, C] in [0, 1]; an anchor may give a box for more than one class.
        confidence: scores of this and less give no box.
        iou: boxes of one class that overlap a better one by more than this go.
        max_detections: boxes an image, of all classes together.

    Returns:
        The detections; M is `max_detections`.

    Raises:
        ValueError: a threshold outside [0, 1], or fewer than one detection.
    """
    for name, value in (("confidence", confidence), ("iou", iou)):
        if not 0 <= value <= 1:
            raise ValueError(f"{name} expects a number in [0, 1]; received {value}")
    if max_detections < 1:
        raise ValueError(f"max_detections expects at least 1; received {max_detections}")
    kept = tf.image.combined_non_max_suppression(
        boxes[:, :, tf.newaxis],
        scores,
        max_output_size_per_class=max_detections,
        max_total_size=max_detections,
        iou_threshold=iou,
        score_threshold=confidence,
        clip_boxes=False,
    )
    return Detections(
        kept.nmsed_boxes, kept.nmsed_scores, tf.cast(kept.nmsed_classes, tf.int32), kept.valid_detections
    )


def detect(
    net: keras.Model,
    images: tf.Tensor,
    *,
    size: int = PUBLISHED_INPUT_SIZE,
    confidence: float = CONFIDENCE,
    iou: float = IOU,
    max_detections: int = MAX_DETECTIONS,
    scales: Sequence[float] = (1.0,),
    flip: bool = False,
) -> Detections:
    """Finds objects in images of any size; with more than one scale, or mirrored, too, in several views.

    The boxes of all views are suppressed together, as those of one view are: what is found in several of them
    is reported once, with its best score.

    Args:
        net: a `detection.model.Detector`, or a model with the same outputs; its `canvas`, if it has one, is
            the colour around the images.
        images: float32 [N, H, W, 3], RGB in [0, 1]; H and W may be unknown until the graph runs.
        size: the longer side of what the detector sees, a multiple of 32; larger finds smaller objects.
        confidence: see `suppress`.
        iou: see `suppress`.
        max_detections: see `suppress`.
        scales: look at the images at `size` times each of these, rounded to multiples of 32.
        flip: look at each view mirrored, too.

    Returns:
        The detections, in pixels of `images`.

    Raises:
        ValueError: a size or threshold out of range, or no scale.

    Example:
        >>> found = detect(load_net("detector.keras"), images, confidence=0.4)
        >>> found.boxes[0, : found.counts[0]]
    """
    if not scales or min(scales) <= 0:
        raise ValueError(f"scales expects numbers above 0; received {list(scales)}")
    sizes = [
        size if scale == 1 else max(MULTIPLE, round(size * scale / MULTIPLE) * MULTIPLE) for scale in scales
    ]
    if sizes == [size] and not flip:  # suppressed on the canvas, where boxes may reach over the border
        view = _view(net, images, size)
        found = suppress(
            view.boxes, view.scores, confidence=confidence, iou=iou, max_detections=max_detections
        )
        return found._replace(boxes=to_image(found.boxes, view.canvas, *_sides(images)))
    boxes, scores = [], []
    for one in dict.fromkeys(sizes):
        for mirrored in (False, True) if flip else (False,):
            view = _view(net, images[:, :, ::-1] if mirrored else images, one)
            seen = to_image(view.boxes, view.canvas, *_sides(images))
            boxes.append(_mirrored(seen, tf.shape(images)[2]) if mirrored else seen)
            scores.append(view.scores)
    thresholds = {"confidence": confidence, "iou": iou, "max_detections": max_detections}
    return suppress(tf.concat(boxes, axis=1), tf.concat(scores, axis=1), **thresholds)


class _View(NamedTuple):
    """What a detector says of images at one size: its canvas, and all boxes on it with their scores."""

    canvas: Letterboxed
    boxes: tf.Tensor
    scores: tf.Tensor


def _view(net: keras.Model, images: tf.Tensor, size: int) -> _View:
    canvas = letterbox(images, size, grey=getattr(net, "canvas", GREY))
    raw = net(canvas.images, training=False)
    if "corners" in raw:  # what decodes its boxes itself
        return _View(canvas, raw["corners"], raw["classes"])
    shape = tf.shape(canvas.images)
    return _View(canvas, decode_boxes(raw["boxes"], shape[1], shape[2]), raw["classes"])


def _sides(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(images)
    return shape[1], shape[2]


def _mirrored(boxes: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Boxes of a mirrored image → of the image: float32 [..., 4]."""
    left, top, right, bottom = tf.unstack(boxes, axis=-1)
    width = tf.cast(width, tf.float32)
    return tf.stack([width - right, top, width - left, bottom], axis=-1)
