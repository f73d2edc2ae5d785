"""Connected regions of a mask inside a graph, for which TensorFlow has no operation."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class ConnectedRegions(NamedTuple):
    """The regions of a mask in the order in which a scan row by row meets them.

    Attributes:
        numbers: int32 [H, W], which region each pixel is part of, from 0; -1 outside.
        boxes: int32 [R, 4], left, top, right, bottom in pixels.
        areas: int32 [R], in pixels.
    """

    numbers: tf.Tensor
    boxes: tf.Tensor
    areas: tf.Tensor

    def means(self, values: tf.Tensor) -> tf.Tensor:
        """The mean of values, float32 [H, W], over each region: float32 [R]."""
        values = tf.cast(values, tf.float64)  # millions of numbers are added up
        total = tf.math.unsorted_segment_sum(values, self.numbers, tf.shape(self.areas)[0])
        return tf.cast(total / tf.cast(self.areas, tf.float64), tf.float32)


def connected_regions(mask: tf.Tensor) -> ConnectedRegions:
    """Finds the regions whose pixels touch along their sides.

    The nodes are runs of pixels within a row, and the links are between runs that touch. Every run points to
    an earlier one or to itself. In each pass linked runs take the smaller one of their pointers, as do the
    runs pointed to, and all pointers are followed by one step: some ten passes do. After Shiloach
    and Vishkin, "An O(log n) parallel connectivity algorithm", Journal of Algorithms, 1982.

    Args:
        mask: bool [H, W].

    Returns:
        The regions.
    """
    framed = tf.pad(mask, [[0, 0], [1, 1]])
    begins = mask & ~framed[:, :-2]
    runs = tf.reshape(tf.cumsum(tf.cast(tf.reshape(begins, [-1]), tf.int32)) - 1, tf.shape(mask))
    begins, ends = (tf.cast(tf.where(each), tf.int32) for each in (begins, mask & ~framed[:, 2:]))
    touching = mask[:-1] & mask[1:]
    touching &= ~tf.pad(touching, [[0, 0], [1, 0]])[:, :-1]  # once for two runs
    upper = tf.where(touching)
    first = _earliest(tf.shape(begins)[0], tf.gather_nd(runs, upper), tf.gather_nd(runs[1:], upper))
    is_first = tf.cast(first == tf.range(tf.shape(first)[0]), tf.int32)
    numbers, count = tf.gather(tf.cumsum(is_first) - 1, first), tf.reduce_sum(is_first)
    least = tf.math.unsorted_segment_min(begins[:, ::-1], numbers, count)
    most = tf.math.unsorted_segment_max(ends[:, ::-1], numbers, count)
    areas = tf.math.unsorted_segment_sum(ends[:, 1] - begins[:, 1] + 1, numbers, count)
    # The last one is for pixels outside.
    of_pixels = tf.gather(tf.concat([numbers, [-1]], 0), tf.where(mask, runs, tf.shape(numbers)[0]))
    return ConnectedRegions(of_pixels, tf.concat([least, most + 1], -1), areas)


def _earliest(count: tf.Tensor, one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The first of the nodes that each is linked with, however far: int32 [count].

    Args:
        count: of nodes.
        one: int32 [L], a node of each link.
        other: int32 [L], its other node.
    """

    def narrow(first: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        ends = tf.gather(first, one), tf.gather(first, other)
        least = tf.tile(tf.minimum(*ends), [2])
        found = tf.tensor_scatter_nd_min(first, tf.expand_dims(tf.concat(ends, 0), 1), least)
        found = tf.gather(found, found)
        return found, tf.reduce_any(found != first)

    return tf.while_loop(lambda _, changed: changed, narrow, (tf.range(count), tf.constant(True)))[0]
