"""Checks of a signature's inputs, inside its graph."""

from __future__ import annotations

import tensorflow as tf

from kind.export.contract import AFTER_BYTES, BEFORE_BYTES
from kind.nn.graphs import as_graph


def checked_numbers(
    numbers: tf.Tensor, name: str, count: tf.Tensor, images: str, most: float = tf.float32.max
) -> tf.Tensor:
    """An input of numbers after its check.

    Args:
        numbers: float32 [N], one for each image, from 0 to `most`.
        name: of this input.
        count: of images, int32 scalar.
        images: name of the input that holds them.
        most: the largest number.

    Returns:
        The same numbers; the graph raises tf.errors.InvalidArgumentError when one is wrong.
    """
    upto = "on" if most == tf.float32.max else f"to {most:g}"
    return _checked(numbers, count, tf.constant(most), tf.constant([name, images, upto]))


def checked_partners(after: tf.Tensor, before: tf.Tensor) -> tf.Tensor:
    """Second photographs, string [N], when there are as many as first ones; otherwise the graph raises."""
    counts = tf.strings.as_string(tf.stack([tf.size(before), tf.size(after)]))
    unequal = tf.strings.join(
        [f"{AFTER_BYTES}: expects as many images as {BEFORE_BYTES}, ", counts[0], "; received ", counts[1]]
    )
    with tf.control_dependencies([tf.debugging.Assert(tf.size(after) == tf.size(before), [unequal])]):
        return tf.identity(after)


def checked_size(after: tf.Tensor, before: tf.Tensor, index: tf.Tensor) -> tf.Tensor:
    """A second photograph, [H, W, 3], when it has the size of the first one; otherwise the graph raises."""
    sizes = tf.strings.as_string(tf.stack([tf.shape(before), tf.shape(after)]))
    place = tf.strings.join(["[", tf.strings.as_string(index), "]: "])
    unequal = tf.strings.join(
        [AFTER_BYTES, place, sizes[1, 1], "x", sizes[1, 0], " pixels; expects the size of ", BEFORE_BYTES]
        + [", ", sizes[0, 1], "x", sizes[0, 0]]
    )
    is_same = tf.reduce_all(tf.shape(after) == tf.shape(before))
    with tf.control_dependencies([tf.debugging.Assert(is_same, [unequal])]):
        return tf.identity(after)


@as_graph
def _checked(numbers: tf.Tensor, count: tf.Tensor, most: tf.Tensor, texts: tf.Tensor) -> tf.Tensor:
    """An input after its check: one number for each image, from 0 to `most`; one graph for all inputs.

    Args:
        numbers: float32 [N].
        count: of images.
        most: the largest number.
        texts: names of this input and of that of the images, and `most` in words.
    """
    name, images, upto = tf.unstack(texts)
    counts = tf.strings.as_string(tf.stack([count, tf.shape(numbers)[0]]))
    unequal = tf.strings.join(
        [name, ": expects as many numbers as ", images, ", ", counts[0], "; received ", counts[1]]
    )
    with tf.control_dependencies([tf.debugging.Assert(tf.shape(numbers)[0] == count, [unequal])]):
        wrong = tf.logical_not((numbers >= 0.0) & (numbers <= most))  # NaN is, too
    first = tf.minimum(tf.reduce_min(tf.where(wrong, tf.range(count), count)), count)
    # A sum, because without fault there is no such element.
    value = tf.strings.as_string(tf.reduce_sum(numbers[first : first + 1]), shortest=True)
    expected = ["]: expects a number from 0 ", upto, "; received "]
    message = tf.strings.join([name, "[", tf.strings.as_string(first), *expected, value])
    with tf.control_dependencies([tf.debugging.Assert(tf.logical_not(tf.reduce_any(wrong)), [message])]):
        return tf.identity(numbers)
