"""Samples → batches, for training (endless, shuffled, cropped) and for validation (once, whole)."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from data.arrays import to_float
from data.augmentation import crop_and_turn
from data.order import sample_seed, shuffled_index
from data.sources import Source
from kind.errors import UserError

Prepare = Callable[[dict[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]]


def steps_per_epoch(source: Source, batch: int) -> int:
    """Whole batches that one pass over the samples gives, at least one."""
    return max(1, len(source) // batch)


def training_batches(
    source: Source,
    *,
    batch: int,
    patch: int,
    seed: int,
    first_epoch: int = 0,
    prepare: Prepare | None = None,
) -> tf.data.Dataset:
    """An endless stream of batches that depends on nothing but its arguments.

    Args:
        source: whole samples.
        batch: samples a batch.
        patch: side of the random crops, in pixels.
        seed: of order, crops and turns.
        first_epoch: start here, as if the epochs before had been read.
        prepare: last step for each cropped sample; receives it and a seed, int32 [2].

    Returns:
        Batches of float32 [batch, patch, patch, C] under the sample's keys.

    Raises:
        UserError: when an image is smaller than the patch.
    """
    if source.smallest_side() < patch:
        raise UserError(
            f"--patch {patch} is more than the smallest image's shorter side; "
            f"use at most {source.smallest_side()}"
        )
    read = source.reader()
    length = steps_per_epoch(source, batch) * batch

    def sample(number: tf.Tensor) -> dict[str, tf.Tensor]:
        epoch, position = number // length, number % length
        key = sample_seed(seed, epoch, position)
        arrays = crop_and_turn(read(shuffled_index(position, len(source), seed, epoch)), patch, key)
        arrays = {name: to_float(values) for name, values in arrays.items()}
        return prepare(arrays, key) if prepare else arrays

    numbers = tf.data.Dataset.range(first_epoch * length, tf.int64.max)
    return (
        numbers.map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def names_of_batch(source: Source, batch: int, seed: int, epoch: int, step: int) -> list[str]:
    """The samples of one training batch, recomputed: for messages about that batch."""
    epoch_tensor = tf.constant(epoch, tf.int64)
    positions = range(step * batch, (step + 1) * batch)
    return [
        source.names[int(shuffled_index(tf.constant(position, tf.int64), len(source), seed, epoch_tensor))]
        for position in positions
    ]


def whole_images(source: Source, prepare: Prepare | None = None) -> tf.data.Dataset:
    """Every sample once, in order, whole, as a batch of one.

    Args:
        source: whole samples, which may differ in size.
        prepare: as in `training_batches`; its seed is (0, index).

    Returns:
        Batches of float32 [1, H, W, C].
    """
    read = source.reader()

    def sample(index: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = {name: to_float(values) for name, values in read(index).items()}
        return prepare(arrays, tf.stack([0, tf.cast(index, tf.int32)])) if prepare else arrays

    indices = tf.data.Dataset.range(len(source))
    return indices.map(sample, num_parallel_calls=tf.data.AUTOTUNE).batch(1).prefetch(1)
