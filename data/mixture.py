"""A training set that is a mixture: pairs and bright photographs, drawn by weight, without state.

Which part a sample comes from, which image of it, its frame, turn and dark twin are all a function of
(seed, epoch, position): any epoch can be produced without the ones before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from kind.data.arrays import to_float
from kind.data.augmentation import turned, uniform_integer
from kind.data.batches import Prepare, check_shared
from kind.data.dark_twins import MEASURED, PRESETS, any_twin, twin
from kind.data.mixture_parts import THUMBNAIL, MixturePart
from kind.data.order import sample_seed
from kind.errors import UserError
from kind.ops.area import area_resized
from kind.ops.light import linear_to_srgb, srgb_to_linear, stops_to_gain

_FLAT = 0.02  # share of twins that are one constant colour, which is to stay as it is
_NATIVE = 0.6  # share of crops at full resolution among samples of pairs …
_TWIN_OF_HIGH = 0.15  # … and of twins of their bright images
_NARROWEST = 0.55  # part of each side that a frame shows at least
_CROPPED = 0.5  # share of crops at full resolution among frames whose twins are of a chosen preset
_DARKER_STOPS = (0.8, -0.1)  # a pair's dark image is up to this many stops darker, or a little brighter
_MOST_PAIRS, _MOST_TWINS = 24, 8  # validation samples of a group, evenly spaced

Sample = dict[str, tf.Tensor]


def mixture_batches(
    parts: Sequence[MixturePart],
    *,
    batch: int,
    patch: int,
    seed: int,
    steps: int,
    first_epoch: int = 0,
    processes: int = 1,
    process: int = 0,
    replicas: int = 1,
    threads: int | None = None,
    whole: bool = False,
    prepare: Prepare | None = None,
) -> tf.data.Dataset:
    """An endless stream of batches that depends on nothing but its arguments.

    Args:
        parts: of the mixture, see `data.mixture_parts.fitting`.
        batch: global batch size: samples per step over all processes and replicas.
        patch: side of the samples, in pixels.
        seed: random seed of everything that is drawn.
        steps: batches an epoch.
        first_epoch: start here, as if the epochs before had been read.
        processes: how many processes share a batch.
        process: which of them this is, from 0.
        replicas: how many replicas there are in all processes together.
        threads: samples that are made side by side; by default TensorFlow decides.
        whole: frames of most of a photograph, made smaller, and no crops at full resolution.
        prepare: last step for each sample; receives it and a seed, int32 [2].

    Returns:
        Batches of what `prepare` gives; by default `low` and `high`, float32 [N, patch, patch, 3];
        `thumbnail`, float32 [N, 128, 128, 3], of the whole dark photograph; `place`, float32 [N, 4], of the
        sample in it (see `kind.nn.exposure_layers.WholePlace`).

    Raises:
        UserError: when the batch cannot be shared.
    """
    check_shared(batch, replicas)
    make = sample_maker(parts, patch, seed, whole, prepare)
    length, share = steps * batch, batch // processes

    def sample(count: tf.Tensor) -> Sample:
        number = count // share * batch + process * share + count % share
        return make(number // length, number % length)

    counts = tf.data.Dataset.range(first_epoch * length // processes, tf.int64.max // batch)
    made = counts.map(sample, num_parallel_calls=threads or tf.data.AUTOTUNE, deterministic=True)
    return made.batch(batch // replicas, drop_remainder=True).prefetch(2)


def sample_maker(
    parts: Sequence[MixturePart],
    patch: int,
    seed: int,
    whole: bool = False,
    prepare: Prepare | None = None,
) -> Callable[[tf.Tensor, tf.Tensor], Sample]:
    """A function from (epoch, position), int64 scalars, to one training sample, no batch dimension."""
    native = 0.0 if whole else _NATIVE
    cropped = 0.0 if whole else _CROPPED
    makers = [
        _pair_maker(part, patch, native) if part.thumbnails else _twin_maker(part, patch, cropped)
        for part in parts
    ]

    def make(epoch: tf.Tensor, position: tf.Tensor) -> Sample:
        number, draw, seed_of_sample = _drawn_part(parts, seed, epoch, position)
        sample = tf.switch_case(number, [lambda one=one: one(draw, seed_of_sample) for one in makers])
        return prepare(sample, seed_of_sample) if prepare else sample

    return make


def chosen_part(parts: Sequence[MixturePart], seed: int, epoch: int, position: int) -> tuple[str, str]:
    """The part and the image file of one training sample, recomputed: for messages about it."""
    number, draw, _ = _drawn_part(parts, seed, tf.constant(epoch), tf.constant(position))
    part = parts[int(number)]
    return part.name, part.training.images[int(_index(draw, len(part.training)))]


def _drawn_part(
    parts: Sequence[MixturePart], seed: int, epoch: tf.Tensor, position: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The number of the part that a sample comes from, the draw of its image, and the seed of all else."""
    weights = [part.weight for part in parts]
    ends = (np.cumsum(weights) / sum(weights)).astype(np.float32)
    seeds = tf.random.split(sample_seed(seed, epoch, position), 2, alg="philox")
    draws = tf.random.stateless_uniform([2], seeds[0], alg="philox")
    number = tf.minimum(tf.reduce_sum(tf.cast(draws[0] >= ends, tf.int32)), len(parts) - 1)
    return number, draws[1], seeds[1]


def validation_samples(
    parts: Sequence[MixturePart], prepare: Prepare | None = None, *, training: int = 0
) -> tuple[tf.data.Dataset, list[str]]:
    """Held-out scenes, whole, up to 24 of a part; exact degradations (`MEASURED`) of up to 8 photographs.

    Of a part that has twins of one preset, these twins are the degradation.

    Args:
        parts: of the mixture.
        prepare: last step for each sample, as of `mixture_batches`.
        training: up to so many training scenes of each part instead, evenly spaced; 0 gives held-out ones.

    Returns:
        Batches of one sample, by default `{low, high, group}`, float32 [1, H, W, 3] and int32 [1], and the
        groups' names, those without samples too.
    """
    groups: list[str] = []
    data = None
    for part in parts:
        source = part.training if training else part.validation
        made_of = {part.twins: PRESETS[part.twins]} if part.twins else MEASURED
        kinds = [None] if part.thumbnails else list(made_of.items())
        first = len(groups)  # of all parts, so that held-out and training samples have the same numbers
        groups += [part.name if kind is None else f"{part.name} {kind[0]}" for kind in kinds]
        if source is None:
            continue
        read, count = source.reader(memory=0), len(source)
        most = training or (_MOST_PAIRS if part.thumbnails else _MOST_TWINS)
        chosen = np.linspace(0, count - 1, min(count, most))
        numbers = np.round(chosen).astype(np.int64)
        for group, kind in enumerate(kinds, start=first):

            def sample(index, read=read, kind=kind, group=group):
                arrays = {name: to_float(values) for name, values in read(index).items()}
                seed = tf.stack([0, tf.cast(index, tf.int32)])
                if kind is not None:
                    arrays["low"] = twin(arrays["high"], seed, kind[1])
                made = {"low": arrays["low"], "high": arrays["high"], "group": group}
                return prepare(made, seed) if prepare else made

            made = tf.data.Dataset.from_tensor_slices(numbers).map(sample, num_parallel_calls=2)
            data = made if data is None else data.concatenate(made)
    if data is None:
        raise UserError(
            "no part of --data holds out anything to validate on: leave out one of the ':all', or give more "
            "images"
        )
    return data.batch(1).prefetch(1), groups


def _twin_maker(part: MixturePart, patch: int, cropped: float):
    """Samples of bright photographs and their dark twins; crops only where the preset is chosen."""
    cropped = cropped if part.twins else 0.0
    read, count = part.training.reader(memory=0), len(part.training)

    def make(draw: tf.Tensor, seed: tf.Tensor) -> Sample:
        return _twin_sample(read(_index(draw, count))["high"], patch, seed, part.twins, cropped)

    return make


def _pair_maker(part: MixturePart, patch: int, native: float):
    """Samples of pairs: crops at full resolution, smaller versions of larger frames, twins of `high`."""
    read, glance, count = part.training.reader(memory=0), part.thumbnails.reader(), len(part.training)

    def make(draw: tf.Tensor, seed: tf.Tensor) -> Sample:
        index = _index(draw, count)
        arrays = read(index)
        seeds = tf.random.split(seed, 2, alg="philox")
        choice = tf.random.stateless_uniform([], seeds[0], alg="philox")
        number = tf.cast(choice >= _TWIN_OF_HIGH, tf.int32) + tf.cast(choice >= 1.0 - native, tf.int32)
        return tf.switch_case(
            number,
            [
                lambda: _twin_sample(arrays["high"], patch, seeds[1]),
                lambda: _framed_sample(arrays, patch, seeds[1]),
                lambda: _native_sample(arrays, to_float(glance(index)["low"]), patch, seeds[1]),
            ],
        )

    return make


def _twin_sample(
    high: tf.Tensor, patch: int, seed: tf.Tensor, preset: str = "", cropped: float = 0.0
) -> Sample:
    """A frame of a bright photograph and its dark twin; sometimes one colour, which has no twin."""
    seeds = tf.random.split(seed, 3, alg="philox")
    frame = _framed({"high": high}, patch, seeds[0], cropped)["high"]
    is_flat = tf.random.stateless_uniform([], seeds[2], alg="philox") < _FLAT
    frame = tf.where(is_flat, frame[:1, :1] + tf.zeros_like(frame), frame)
    dark = twin(frame, seeds[1], PRESETS[preset]) if preset else any_twin(frame, seeds[1])
    low = tf.where(is_flat, frame, dark)
    return _whole_sample(low, frame)


def _framed_sample(arrays: Sample, patch: int, seed: tf.Tensor) -> Sample:
    """A frame of a pair, made smaller."""
    seeds = tf.random.split(seed, 2, alg="philox")
    framed = _framed(arrays, patch, seeds[0])
    return _whole_sample(_darker(framed["low"], seeds[1])[0], framed["high"])


def _whole_sample(low: tf.Tensor, high: tf.Tensor) -> Sample:
    """A sample that is a whole photograph of its own."""
    side = float(low.shape[0])
    return {
        "low": low,
        "high": high,
        "thumbnail": area_resized(low[tf.newaxis], THUMBNAIL, THUMBNAIL)[0],
        "place": tf.constant([0.0, 0.0, side, side]),
    }


def _native_sample(arrays: Sample, thumbnail: tf.Tensor, patch: int, seed: tf.Tensor) -> Sample:
    """A crop of a pair at full resolution, with the thumbnail of the whole."""
    seeds = tf.random.split(seed, 3, alg="philox")
    size = tf.shape(arrays["low"])
    draws = tf.random.stateless_uniform([3], seeds[0], alg="philox")
    top, left = uniform_integer(draws[0], size[0] - patch + 1), uniform_integer(draws[1], size[1] - patch + 1)
    turn = uniform_integer(draws[2], 8)
    crops = {
        key: tf.ensure_shape(
            turned(to_float(array[top : top + patch, left : left + patch]), turn), [patch, patch, 3]
        )
        for key, array in arrays.items()
    }
    thumbnail = tf.ensure_shape(turned(thumbnail, turn), [THUMBNAIL, THUMBNAIL, 3])
    low, thumbnail = _darker(crops["low"], seeds[1], thumbnail)
    place = tf.cast(_turned_place(top, left, size[0], size[1], patch, turn), tf.float32)
    return {
        "low": low,
        "high": crops["high"],
        "thumbnail": thumbnail,
        "place": place,
    }


def _turned_place(top, left, height, width, patch: int, turn) -> tf.Tensor:
    """Where a square crop lies once the whole is turned as `data.augmentation.turned` does: int32 [4]."""
    places = [tf.stack([top, left, height, width])]
    for _ in range(3):  # a quarter turn counter-clockwise at a time
        top, left, height, width = width - left - patch, top, width, height
        places.append(tf.stack([top, left, height, width]))
    place = tf.gather(tf.stack(places), turn % 4)
    mirrored = tf.stack([place[0], place[3] - place[1] - patch, place[2], place[3]])
    return tf.where(turn >= 4, mirrored, place)


def _framed(arrays: Sample, patch: int, seed: tf.Tensor, cropped: float = 0.0) -> Sample:
    """The same random frame of all arrays, averaged down to a square unless it is a crop, and turned."""
    draws = tf.unstack(tf.random.stateless_uniform([5], seed, alg="philox"))
    is_crop = tf.random.stateless_uniform([], tf.random.fold_in(seed, 1), alg="philox") < cropped
    shape = tf.shape(next(iter(arrays.values())))
    sides = []
    for side, share, place in zip(tf.unstack(shape[:2]), draws[:2], draws[2:4]):
        part = _NARROWEST + (1.0 - _NARROWEST) * share
        length = tf.clip_by_value(tf.cast(part * tf.cast(side, tf.float32), tf.int32), patch, side)
        length = tf.where(is_crop, patch, length)
        start = uniform_integer(place, side - length + 1)
        sides.append((start, start + length))
    (top, bottom), (left, right) = sides
    turn = uniform_integer(draws[4], 8)
    framed = {}
    for key, array in arrays.items():
        small = area_resized(to_float(array[top:bottom, left:right])[tf.newaxis], patch, patch)[0]
        framed[key] = tf.ensure_shape(turned(small, turn), [patch, patch, 3])
    return framed


def _darker(low: tf.Tensor, seed: tf.Tensor, thumbnail: tf.Tensor | None = None):
    """A pair's dark image under a little less or more light, and its thumbnail likewise."""
    draw = tf.random.stateless_uniform([2], seed, alg="philox")
    fewest, most = _DARKER_STOPS[1], _DARKER_STOPS[0]
    stops = fewest + draw[0] * (most - fewest)
    stops = tf.where(draw[1] < 0.5, stops, 0.0)

    def dimmed(image):
        return linear_to_srgb(tf.minimum(srgb_to_linear(image) * stops_to_gain(-stops), 1.0))

    return dimmed(low), None if thumbnail is None else dimmed(thumbnail)


def _index(draw: tf.Tensor, count: int) -> tf.Tensor:
    return tf.cast(uniform_integer(draw, count), tf.int64)
