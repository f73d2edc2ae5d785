"""Change detection as the signature `detect_changes` wants it, and what becomes of its results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from kind.enhancing.enhancer import Enhanced
from kind.export.graph_images import encode_png
from kind.nn.graphs import as_graph


class FoundChanges(NamedTuple):
    """What has changed between two photographs; rows from `count` on hold no region.

    Attributes:
        probability: of a change, float32 [H, W].
        mask: where a region is, bool [H, W].
        boxes: float32 [M, 4], left, top, right, bottom in pixels, of the largest region first; 0 without one.
        areas: int32 [M], in pixels; 0 without a region.
        scores: mean probability, float32 [M]; 0 without a region.
        count: int32 scalar.
    """

    probability: tf.Tensor
    mask: tf.Tensor
    boxes: tf.Tensor
    areas: tf.Tensor
    scores: tf.Tensor
    count: tf.Tensor


@dataclass(frozen=True)
class ServedChanges:
    """Change detection as the signatures want it; both functions are called inside a graph.

    Attributes:
        seen: from a photograph, float32 [1, H, W, 3] in [0, 1], and a function that gives the wanted parts of
            what the pipeline makes of it, which runs only when it is called, to what is compared of it, the
            same shape.
        find: from that of both dates to what has changed.
        max_regions: M of what `find` returns.
        parts: names of the wanted parts, of `kind.enhancing.enhancer.PARTS`.
        networks: that `find` runs.
    """

    seen: Callable[[tf.Tensor, Callable[[], Enhanced]], tf.Tensor]
    find: Callable[[tf.Tensor, tf.Tensor], FoundChanges]
    max_regions: int
    parts: tuple[str, ...] = ()
    networks: tuple[tf.keras.Model, ...] = ()


_encoded = as_graph(encode_png)


def changes_of(found: FoundChanges) -> dict[str, tf.Tensor]:
    """The outputs for one pair."""
    pictures = {"probability_bytes": found.probability, "mask_bytes": tf.cast(found.mask, tf.float32)}
    return {
        **{name: _encoded(tf.expand_dims(picture, -1)) for name, picture in pictures.items()},
        "boxes": found.boxes,
        "areas": found.areas,
        "scores": found.scores,
        "number": found.count,
    }


def changes_spec(changes: ServedChanges) -> dict[str, tf.TensorSpec]:
    """The shapes and types of `changes_of`."""
    rows = changes.max_regions
    return {
        "probability_bytes": tf.TensorSpec([], tf.string),
        "mask_bytes": tf.TensorSpec([], tf.string),
        "boxes": tf.TensorSpec([rows, 4]),
        "areas": tf.TensorSpec([rows], tf.int32),
        "scores": tf.TensorSpec([rows]),
        "number": tf.TensorSpec([], tf.int32),
    }
