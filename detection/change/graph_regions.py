"""Changed regions inside a graph: what `detection.change.regions` finds, without their outlines."""

from __future__ import annotations

import tensorflow as tf

from kind.export.changes import FoundChanges
from kind.ops.connected_regions import connected_regions


def found_changes(probability: tf.Tensor, threshold: float, smallest: int, most: int) -> FoundChanges:
    """Finds the regions in which something has changed.

    Args:
        probability: of a change, float32 [H, W].
        threshold: pixels above it have changed.
        smallest: regions of fewer pixels are left out.
        most: number of rows; smaller regions beyond it are in the mask only.

    Returns:
        The regions, the largest first.
    """
    regions = connected_regions(probability > threshold)
    is_kept = regions.areas >= smallest
    # The last one is for pixels outside.
    mask = tf.gather(
        tf.concat([is_kept, [False]], 0), tf.where(regions.numbers < 0, tf.size(is_kept), regions.numbers)
    )
    count = tf.minimum(tf.reduce_sum(tf.cast(is_kept, tf.int32)), most)
    order = tf.math.top_k(tf.where(is_kept, regions.areas, 0), count).indices

    def rows(values: tf.Tensor) -> tf.Tensor:
        chosen = tf.gather(values, order)
        around = [[0, most - count], *[[0, 0]] * (values.shape.rank - 1)]
        return tf.ensure_shape(tf.pad(chosen, around), [most, *values.shape[1:]])

    boxes = rows(tf.cast(regions.boxes, tf.float32))
    return FoundChanges(
        probability, mask, boxes, rows(regions.areas), rows(regions.means(probability)), count
    )
