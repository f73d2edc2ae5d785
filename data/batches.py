"""Samples → batches, for training (endless, shuffled, cropped) and for validation (once, whole)."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from kind.data.arrays import to_float
from kind.data.augmentation import crop_and_turn
from kind.data.order import sample_seed, shuffled_index
from kind.data.sources import Source
from kind.errors import UserError

Prepare = Callable[[dict[str, tf.Tensor], tf.Tensor], dict[str, tf.Tensor]]


def steps_per_epoch(source: Source, batch: int) -> int:
    """Whole batches that one pass over the samples gives, at least one."""
    return max(1, len(source) // batch)


def check_shared(batch: int, replicas: int) -> None:
    """Refuses a global batch size that replicas cannot share equally, with a UserError."""
    if batch % replicas:
        raise UserError(f"--batch {batch} cannot be shared equally by {replicas} replicas; use a multiple")


def check_patch(source: Source, patch: int, least: int = 1) -> None:
    """Refuses images that are too small, before anything is trained.

    Args:
        source: whole samples.
        patch: side of the crops, in pixels.
        least: side of the smallest image that the stage's losses can be computed on.

    Raises:
        UserError: naming the smallest image, when it is smaller than `least` or than the crops.
    """
    side, image = source.smallest_side()
    if side < least:
        raise UserError(
            f"{image}: its shorter side has {side} pixels; expected {least} or more: leave it out"
        )
    if side < patch:
        raise UserError(
            f"--patch {patch} is more than the shorter side of the smallest image, {image}; "
            f"use at most {side}"
        )


def training_batches(
    source: Source,
    *,
    batch: int,
    patch: int,
    seed: int,
    first_epoch: int = 0,
    processes: int = 1,
    process: int = 0,
    replicas: int = 1,
    prepare: Prepare | None = None,
) -> tf.data.Dataset:
    """An endless stream of batches that depends on nothing but its arguments.

    Several processes with several replicas share each batch: all their pieces of a step together are
    the batch that one process with one replica would get.

    Args:
        source: whole samples.
        batch: global batch size: samples per step over all processes and replicas.
        patch: side of the random crops, in pixels.
        seed: random seed for sample order and augmentation.
        first_epoch: start here, as if the epochs before had been read.
        processes: how many processes share a batch.
        process: which of them this is, from 0.
        replicas: how many replicas there are in all processes together.
        prepare: last step for each cropped sample; receives it and a seed, int32 [2].

    Returns:
        Pieces of a batch, float32 [batch / replicas, patch, patch, C] under the sample's keys.

    Raises:
        UserError: when an image is smaller than the patch, or the batch cannot be shared equally.
    """
    check_shared(batch, replicas)
    check_patch(source, patch)
    read = source.reader()
    length, share = steps_per_epoch(source, batch) * batch, batch // processes

    def sample(count: tf.Tensor) -> dict[str, tf.Tensor]:
        number = count // share * batch + process * share + count % share
        epoch, position = number // length, number % length
        key = sample_seed(seed, epoch, position)
        arrays = crop_and_turn(read(shuffled_index(position, len(source), seed, epoch)), patch, key)
        arrays = {name: to_float(values) for name, values in arrays.items()}
        return prepare(arrays, key) if prepare else arrays

    counts = tf.data.Dataset.range(first_epoch * length // processes, tf.int64.max // batch)
    return (
        counts.map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch // replicas, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def images_of_batch(source: Source, batch: int, seed: int, epoch: int, step: int) -> list[str]:
    """The image files of one training batch, recomputed: for messages about that batch."""
    epoch_tensor = tf.constant(epoch, tf.int64)
    positions = range(step * batch, (step + 1) * batch)
    return [
        source.images[int(shuffled_index(tf.constant(position, tf.int64), len(source), seed, epoch_tensor))]
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
    read = source.reader(memory=0)  # each image is read once in many epochs

    def sample(index: tf.Tensor) -> dict[str, tf.Tensor]:
        arrays = {name: to_float(values) for name, values in read(index).items()}
        return prepare(arrays, tf.stack([0, tf.cast(index, tf.int32)])) if prepare else arrays

    indices = tf.data.Dataset.range(len(source))
    return indices.map(sample, num_parallel_calls=tf.data.AUTOTUNE).batch(1).prefetch(1)
