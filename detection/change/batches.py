"""Pairs of dates → batches, for training (endless) and for validation (the same pairs each time)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import tensorflow as tf

from kind.data.arrays import to_float
from kind.data.augmentation import crop_and_turn
from kind.data.batches import check_patch, check_shared, steps_per_epoch
from kind.data.order import sample_seed, shuffled_index
from kind.data.sources import Source
from kind.detection.change.lighting import Lighting, lit, lit_exactly
from kind.detection.change.making import OBJECTS, Pair, make_pair
from kind.detection.change.sources import Material, object_reader

_VALIDATION_EPOCH = 0x7FFFFFFF
"""Stands for the epoch in the seeds of validation pairs: no training pair has it."""

Sample = dict[str, tf.Tensor]


class Pairs(Protocol):
    """Where pairs come from.

    Attributes:
        steps: batches an epoch.
        source: whose images a message about a batch names.
    """

    steps: int
    source: Source

    def training_pair(self) -> Callable[[tf.Tensor, tf.Tensor], Pair]:
        """A function from an index into `source` and a seed, int32 [2], to a pair of the size of patches."""
        ...

    def digests(self) -> dict[str, str]:
        """For each sample of `source`, text that changes with what pairs are made of."""
        ...


class MadePairs:
    """Pairs that are made of photographs, another one each time; see `detection.change.making`."""

    def __init__(self, material: Material, size: int, steps: int = 1) -> None:
        """Takes what they are made of, their side in pixels and the number of batches an epoch."""
        self.material, self.size, self.steps = material, size, steps
        self.source = material.photographs

    def training_pair(self) -> Callable[[tf.Tensor, tf.Tensor], Pair]:
        """See `Pairs`."""
        read, cut_out = self.source.reader(), object_reader(self.material.objects)
        count = len(self.source)

        def pair(index: tf.Tensor, seed: tf.Tensor) -> Pair:
            seeds = tf.random.split(seed, 2, alg="philox")
            draws = tf.random.stateless_uniform([OBJECTS, 2], seeds[0], alg="philox")
            # Of other photographs: an object of its own could cover itself.
            steps = 1 + tf.cast(draws[:, 0] * max(count - 1, 1), tf.int64)
            others = (index + steps) % count
            objects = tf.stack([cut_out(others[place], draws[place, 1]) for place in range(OBJECTS)])
            return make_pair(to_float(read(index)["image"]), to_float(objects), seeds[1], self.size)

        return pair

    def digests(self) -> dict[str, str]:
        """See `Pairs`."""
        return self.material.digests()


class ReadPairs:
    """Pairs with labels from a data set, cropped and turned."""

    def __init__(self, source: Source, size: int, batch: int) -> None:
        """Takes triplets, see `detection.change.sources`; the side of the crops; and the batch size.

        Raises:
            UserError: when an image is smaller than the crops.
        """
        check_patch(source, size)
        self.source, self.size = source, size
        self.steps = steps_per_epoch(source, batch)

    def training_pair(self) -> Callable[[tf.Tensor, tf.Tensor], Pair]:
        """See `Pairs`."""
        read = self.source.reader()

        def pair(index: tf.Tensor, seed: tf.Tensor) -> Pair:
            arrays = crop_and_turn(read(index), self.size, seed)
            return Pair(*(to_float(arrays[key]) for key in Pair._fields))

        return pair

    def digests(self) -> dict[str, str]:
        """See `Pairs`."""
        return self.source.digests()


def training_batches(
    pairs: Pairs,
    *,
    batch: int,
    seed: int,
    darken: str,
    first_epoch: int = 0,
    processes: int = 1,
    process: int = 0,
    replicas: int = 1,
) -> tf.data.Dataset:
    """An endless stream of batches that depends on nothing but its arguments.

    Every pair is a function of (seed, epoch, position). Several processes with several replicas share each
    batch, as in `kind.data.batches.training_batches`.

    Args:
        pairs: where they come from.
        batch: global batch size: pairs per step over all processes and replicas.
        seed: of order, objects, crops and lights.
        darken: a key of `detection.change.lighting.DATES`.
        first_epoch: start here, as if the epochs before had been read.
        processes: how many processes share a batch.
        process: which of them this is, from 0.
        replicas: how many replicas there are in all processes together.

    Returns:
        Pieces of a batch: `before` and `after`, float32 [batch / replicas, S, S, 3], sRGB in [0, 1], and
        `label`, float32 [batch / replicas, S, S, 1], 0 or 1.

    Raises:
        UserError: when the batch cannot be shared equally.
    """
    check_shared(batch, replicas)
    make, count = pairs.training_pair(), len(pairs.source)
    length, share = pairs.steps * batch, batch // processes

    @tf.autograph.experimental.do_not_convert  # a third of the time to make the graph
    def sample(number: tf.Tensor) -> Sample:
        number = number // share * batch + process * share + number % share
        epoch, position = number // length, number % length
        index = shuffled_index(position, count, seed, epoch)
        seeds = tf.random.split(sample_seed(seed, epoch, position), 2, alg="philox")
        return lit(make(index, seeds[0]), seeds[1], darken)._asdict()

    counts = tf.data.Dataset.range(first_epoch * length // processes, tf.int64.max // batch)
    return (
        counts.map(sample, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch // replicas, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def made_batches(
    pairs: MadePairs, count: int, seed: int, *, darken: str = "none", lighting: Lighting | None = None
) -> tf.data.Dataset:
    """The same made pairs each time, as batches of one.

    Args:
        pairs: where they come from.
        count: how many; the photographs take turns.
        seed: of objects and lights.
        darken: see `training_batches`.
        lighting: an exact light instead.

    Returns:
        Batches as of `training_batches`.
    """
    make, photographs = pairs.training_pair(), len(pairs.source)

    @tf.autograph.experimental.do_not_convert  # a third of the time to make the graph
    def sample(number: tf.Tensor) -> Sample:
        key = sample_seed(seed, tf.constant(_VALIDATION_EPOCH), number)
        seeds = tf.random.split(key, 2, alg="philox")
        pair = make(number % photographs, seeds[0])
        found = lit_exactly(pair, seeds[1], lighting) if lighting else lit(pair, seeds[1], darken)
        return found._asdict()

    numbers = tf.data.Dataset.range(count)
    return numbers.map(sample, num_parallel_calls=2).batch(1).prefetch(1)


def read_batches(
    source: Source, seed: int, *, darken: str = "none", lighting: Lighting | None = None
) -> tf.data.Dataset:
    """Every triplet once, in order, whole, as batches of one; arguments as of `made_batches`."""
    read = source.reader(memory=0)  # each is read once in many epochs

    @tf.autograph.experimental.do_not_convert  # a third of the time to make the graph
    def sample(number: tf.Tensor) -> Sample:
        key = sample_seed(seed, tf.constant(_VALIDATION_EPOCH), number)
        arrays = read(number)
        pair = Pair(*(to_float(arrays[name]) for name in Pair._fields))
        return (lit_exactly(pair, key, lighting) if lighting else lit(pair, key, darken))._asdict()

    numbers = tf.data.Dataset.range(len(source))
    return numbers.map(sample, num_parallel_calls=2).batch(1).prefetch(1)
