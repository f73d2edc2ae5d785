"""The order of training samples, computed from (seed, epoch, position) instead of remembered.

Nothing here has state: any epoch can be produced without the ones before it, which is what lets a killed
run continue with exactly the samples that it would have seen.
"""

from __future__ import annotations

import tensorflow as tf


def shuffled_index(position: tf.Tensor, count: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """Which sample stands at a position of an epoch.

    Args:
        position: int64 scalar from 0; past the end of the data it starts over.
        count: number of samples.
        seed: of the run.
        epoch: int64 scalar from 0.

    Returns:
        int64 scalar in [0, count): over the positions 0…count-1 of an epoch, a permutation.
    """
    key = tf.stack([tf.cast(seed, tf.int64), tf.cast(epoch, tf.int64)])
    key = tf.cast(tf.bitwise.bitwise_and(key, 0x7FFFFFFF), tf.int32)
    return tf.random.experimental.index_shuffle(position % count, key, tf.constant(count - 1, tf.int64))


def sample_seed(seed: int, epoch: tf.Tensor, position: tf.Tensor) -> tf.Tensor:
    """A seed, int32 [2], for the randomness of the sample at one position of one epoch."""
    key = tf.random.experimental.stateless_fold_in(
        tf.constant([seed & 0x7FFFFFFF, 0], tf.int32), tf.cast(epoch, tf.int32)
    )
    return tf.random.experimental.stateless_fold_in(key, tf.cast(position, tf.int32))
