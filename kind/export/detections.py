"""Detectors as the signatures want them, and what becomes of their boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from kind.enhancing.enhancer import Enhanced
from kind.export.contract import NO_CLASS


class Found(NamedTuple):
    """What a detector finds in a batch; rows from `counts` on hold no box, whatever they contain.

    Attributes:
        boxes: float32 [N, M, 4], left, top, right, bottom in pixels.
        scores: float32 [N, M] in [0, 1], best first.
        classes: int32 [N, M].
        counts: int32 [N].
    """

    boxes: tf.Tensor
    scores: tf.Tensor
    classes: tf.Tensor
    counts: tf.Tensor


@dataclass(frozen=True)
class ServedDetector:
    """A detector as the signatures want it.

    Attributes:
        find: called inside a graph with images, float32 [1, H, W, 3] in [0, 1], and a function that gives
            the wanted parts of what the pipeline makes of them, which runs only when it is called.
        class_names: by class number.
        max_detections: M of what `find` returns.
        parts: names of the wanted parts, of `kind.enhancing.enhancer.PARTS`; none for a detector of the
            image itself.
        networks: that `find` runs.
    """

    find: Callable[[tf.Tensor, Callable[[], Enhanced]], Found]
    class_names: tuple[str, ...]
    max_detections: int
    parts: tuple[str, ...] = ()
    networks: tuple[tf.keras.Model, ...] = ()


def boxes_of(detector: ServedDetector, found: Found) -> dict[str, tf.Tensor]:
    """What was found in one image, rows without a box cleared."""
    count = tf.squeeze(found.counts, 0)
    has_box = tf.range(detector.max_detections) < count
    classes = tf.where(has_box, tf.squeeze(found.classes, 0), NO_CLASS)
    names = tf.constant([*detector.class_names, ""])  # the last one for rows without a box
    return {
        "boxes": tf.where(tf.expand_dims(has_box, 1), tf.squeeze(found.boxes, 0), 0.0),
        "scores": tf.where(has_box, tf.squeeze(found.scores, 0), 0.0),
        "classes": classes,
        "class_names": tf.gather(names, tf.where(has_box, classes, len(detector.class_names))),
        "number": count,
    }


def boxes_spec(detector: ServedDetector | None) -> dict[str, tf.TensorSpec]:
    """The shapes and types of `boxes_of`; nothing without a detector."""
    if detector is None:
        return {}
    rows = detector.max_detections
    return {
        "boxes": tf.TensorSpec([rows, 4], tf.float32),
        "scores": tf.TensorSpec([rows], tf.float32),
        "classes": tf.TensorSpec([rows], tf.int32),
        "class_names": tf.TensorSpec([rows], tf.string),
        "number": tf.TensorSpec([], tf.int32),
    }
