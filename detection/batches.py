"""Annotated images → batches, for training (endless, augmented) and for validation (once, plain)."""

from __future__ import annotations

import tensorflow as tf

from kind.data.batches import check_shared, steps_per_epoch
from kind.data.darkening import Darkness
from kind.data.order import sample_seed, shuffled_index
from kind.detection.canvas import Piece, fitted, mirrored, mosaic, recoloured, scattered
from kind.detection.config import DetectionConfig
from kind.detection.sources import AnnotatedSource, dark_twin

_PADDING = {"image": 0.0, "boxes": 0.0, "classes": -1}


def training_batches(
    source: AnnotatedSource,
    config: DetectionConfig,
    *,
    darkness: Darkness | None = None,
    first_epoch: int = 0,
    processes: int = 1,
    process: int = 0,
    replicas: int = 1,
    twins: bool = False,
) -> tf.data.Dataset:
    """An endless stream of augmented batches that depends on nothing but its arguments.

    Several processes with several replicas share each batch, as in `data.batches.training_batches`.

    Args:
        source: the images.
        config: seed, batch and augmentation.
        darkness: makes a new dark twin each time, of the whole photograph at full size; None makes none.
        first_epoch: start here, as if the epochs before had been read.
        processes: how many processes share a batch.
        process: which of them this is, from 0.
        replicas: how many replicas there are in all processes together.
        twins: give the photograph that was darkened, too.

    Returns:
        Pieces of a batch: `image` float32 [batch / replicas, S, S, 3], canvases, see
        `detection.canvas`; `boxes` float32 [..., G, 4] in pixels and `classes` int32 [..., G], -1 where an
        image has fewer than G objects; G may be 0. With `twins` also `bright`, as `image`, with everything
        in the same places.

    Raises:
        UserError: when the batch cannot be shared equally.
    """
    check_shared(config.batch, replicas)
    read = source.reader()
    length, share = steps_per_epoch(source, config.batch) * config.batch, config.batch // processes

    def sample(count: tf.Tensor) -> dict[str, tf.Tensor]:
        number = count // share * config.batch + process * share + count % share
        epoch, position = number // length, number % length
        index = shuffled_index(position, len(source), config.seed, epoch)
        key = sample_seed(config.seed, epoch, position)

        def piece(index: tf.Tensor, seed: tf.Tensor) -> Piece:
            seeds = tf.random.split(seed, 3, alg="philox")
            found = read(index, _uniform_integer(seeds[0], source.versions))
            images = _with_twin(found.image, seeds[1], darkness, twins)
            if config.jitter:
                images = [recoloured(image, config.jitter, seeds[2]) for image in images]
            return found._replace(image=tf.concat(images, axis=-1))

        mosaics = tf.where(epoch < config.epochs - config.plain_epochs, config.mosaic, 0.0)
        return _keyed(_augmented(piece, index, len(source), config, mosaics, key))

    counts = tf.data.Dataset.range(first_epoch * length // processes, tf.int64.max // config.batch)
    return (
        counts.map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .padded_batch(config.batch // replicas, padding_values=_padding(twins), drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def validation_batches(
    source: AnnotatedSource,
    size: int,
    darkness: Darkness | None = None,
    seed: int = 0,
    twins: bool = False,
) -> tf.data.Dataset:
    """Every image once, in order, as large as it fits, as a batch of one.

    Args:
        source: the images; the first version of each is taken.
        size: side of the canvas.
        darkness: makes the same dark twin each time; None makes none.
        seed: of the twins.
        twins: see `training_batches`.

    Returns:
        Batches as of `training_batches`.
    """
    read = source.reader(memory=0)  # each image is read once in many epochs

    def sample(index: tf.Tensor) -> dict[str, tf.Tensor]:
        piece = read(index, tf.constant(0, tf.int64))
        key = tf.stack([seed, tf.cast(index, tf.int32)])
        images = _with_twin(piece.image, key, darkness, twins)
        return _keyed(fitted(piece._replace(image=tf.concat(images, axis=-1)), size))

    indices = tf.data.Dataset.range(len(source))
    samples = indices.map(sample, num_parallel_calls=tf.data.AUTOTUNE)
    return samples.padded_batch(1, padding_values=_padding(twins)).prefetch(1)


def _padding(twins: bool) -> dict[str, float | int]:
    return {**_PADDING, **({"bright": 0.0} if twins else {})}


def _with_twin(image: tf.Tensor, seed: tf.Tensor, darkness: Darkness | None, twins: bool) -> list[tf.Tensor]:
    """The image, darkened or not, and what it was darkened from where that is asked for."""
    dark = dark_twin(image, seed, darkness) if darkness else image
    return [dark, image] if twins else [dark]


def _augmented(
    piece, index: tf.Tensor, count: int, config: DetectionConfig, mosaics: tf.Tensor, key: tf.Tensor
) -> Piece:
    """One canvas, of one photograph or of four."""
    seeds = tf.random.split(key, 7, alg="philox")
    draws = tf.random.stateless_uniform([2], seeds[4])

    def alone() -> Piece:
        return scattered(piece(index, seeds[0]), config.image_size, config.scale, seeds[5])

    def together() -> Piece:
        others = [_uniform_integer(seeds[6] + number, count) for number in range(3)]
        pieces = [piece(other, seeds[number]) for number, other in enumerate([index, *others])]
        return mosaic(pieces, config.image_size, config.scale, seeds[5])

    canvas = tf.cond(draws[0] < mosaics, together, alone) if config.mosaic else alone()
    return tf.cond(draws[1] < config.flip, lambda: mirrored(canvas), lambda: canvas)


def _keyed(piece: Piece) -> dict[str, tf.Tensor]:
    """With static shapes but for the number of boxes; two images that travelled as one are apart again."""
    image, *bright = tf.split(piece.image, piece.image.shape[-1] // 3, axis=-1)
    return {
        "image": image,
        **({"bright": bright[0]} if bright else {}),
        "boxes": tf.ensure_shape(piece.boxes, [None, 4]),
        "classes": tf.ensure_shape(piece.classes, [None]),
    }


def _uniform_integer(seed: tf.Tensor, count: int) -> tf.Tensor:
    return tf.random.stateless_uniform([], seed, 0, count, tf.int64)
