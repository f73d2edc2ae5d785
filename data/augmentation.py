"""The same crop and the same one of eight flips and rotations for all arrays of a sample."""

from __future__ import annotations

import tensorflow as tf


def crop_and_turn(sample: dict[str, tf.Tensor], patch: int, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Cuts one random square out of every array and turns it one of eight ways.

    Args:
        sample: arrays [H, W, C] of one height and width, both at least `patch`.
        patch: side of the square, in pixels.
        seed: int [2]; the same seed gives the same crop and turn.

    Returns:
        The same keys, [patch, patch, C].
    """
    size = tf.shape(next(iter(sample.values())))
    draws = tf.random.stateless_uniform([3], seed)
    top = uniform_integer(draws[0], size[0] - patch + 1)
    left = uniform_integer(draws[1], size[1] - patch + 1)
    turn = uniform_integer(draws[2], 8)
    return {
        key: tf.ensure_shape(
            turned(array[top : top + patch, left : left + patch], turn), [patch, patch, array.shape[-1]]
        )
        for key, array in sample.items()
    }


def turned(image: tf.Tensor, turn: tf.Tensor | int) -> tf.Tensor:
    """One of the eight symmetries of the square.

    Args:
        image: [H, W, C].
        turn: 0 to 7; turn % 4 quarter turns counter-clockwise, mirrored left to right from 4 on.

    Returns:
        [H, W, C], or [W, H, C] for odd turns.
    """
    image = tf.image.rot90(image, turn % 4)
    return tf.cond(turn >= 4, lambda: image[:, ::-1], lambda: image)


def uniform_integer(draw: tf.Tensor, count: tf.Tensor | int) -> tf.Tensor:
    """A number in [0, 1) → an integer in [0, count)."""
    count = tf.cast(count, tf.int32)
    return tf.minimum(tf.cast(draw * tf.cast(count, tf.float32), tf.int32), count - 1)
