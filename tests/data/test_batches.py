import itertools

import numpy as np
import pytest
import tensorflow as tf

from kind.data.arrays import to_float, write_array
from kind.data.augmentation import crop_and_turn
from kind.data.batches import check_patch, images_of_batch, steps_per_epoch, training_batches, whole_images
from kind.data.order import sample_seed, shuffled_index
from kind.data.sources import Source
from kind.errors import UserError

COUNT = 7


@pytest.fixture
def source(tmp_path):
    """Seven samples; every value of one says which it is."""
    files = {"low": [], "high": []}
    for number, (key, paths) in itertools.product(range(COUNT), files.items()):
        paths.append(str(tmp_path / f"{number}.{key}.u16"))
        offset = 0.5 if key == "high" else 0
        noise = np.random.default_rng(number).random((8 + number, 12, 1), np.float32) / 1000
        write_array(paths[-1], noise + offset + number / 100)
    names = tuple(map(str, range(COUNT)))
    images = tuple(f"images/{name}.png" for name in names)
    return Source(names, images, {key: tuple(paths) for key, paths in files.items()}, {"low": 1, "high": 1})


def take(dataset, count):
    return [{key: value.numpy() for key, value in batch.items()} for batch in dataset.take(count)]


def same(first, second):
    return all(np.array_equal(a[key], b[key]) for a, b in zip(first, second) for key in a)


def test_batches_equal_those_made_eagerly_one_by_one(source):
    stream = training_batches(source, batch=3, patch=5, seed=11, prepare=add_noise)
    steps = steps_per_epoch(source, 3)
    read = source.reader(memory=0)
    for number, batch in enumerate(take(stream, 2 * steps)):
        for place in range(3):
            epoch, position = divmod(number * 3 + place, steps * 3)
            epoch, position = tf.constant(epoch, tf.int64), tf.constant(position, tf.int64)
            key = sample_seed(11, epoch, position)
            arrays = crop_and_turn(read(shuffled_index(position, COUNT, 11, epoch)), 5, key)
            expected = add_noise({name: to_float(values) for name, values in arrays.items()}, key)
            for name, values in expected.items():
                assert np.array_equal(batch[name][place], values)


def add_noise(sample, seed):
    return {**sample, "noise": tf.random.stateless_uniform([2], seed)}


def test_an_epoch_sees_every_sample_once_and_the_next_in_another_order(source):
    steps = steps_per_epoch(source, 1)
    assert steps == COUNT
    batches = take(training_batches(source, batch=1, patch=8, seed=0), 2 * steps)
    order = [int(batch["low"].mean() * 100) for batch in batches]
    assert sorted(order[:COUNT]) == sorted(order[COUNT:]) == list(range(COUNT))
    assert order[:COUNT] != order[COUNT:]
    assert all(np.allclose(batch["high"] - batch["low"], 0.5, atol=2e-3) for batch in batches)


def test_a_later_epoch_does_not_depend_on_those_before(source):
    arguments = {"batch": 2, "patch": 6, "seed": 5}
    steps = steps_per_epoch(source, 2)
    whole = take(training_batches(source, **arguments), 3 * steps)
    assert same(whole[2 * steps :], take(training_batches(source, first_epoch=2, **arguments), steps))


def test_seeds_differ(source):
    first, second = (take(training_batches(source, batch=2, patch=6, seed=seed), 2) for seed in (0, 1))
    assert not same(first, second)


@pytest.mark.parametrize(("processes", "replicas"), [(1, 2), (2, 2), (2, 6), (3, 3)])
def test_the_pieces_of_all_processes_are_the_batch_of_one(source, processes, replicas):
    arguments = {"batch": 6, "patch": 6, "seed": 5, "first_epoch": 1}
    whole = take(training_batches(source, **arguments), 3)
    local = replicas // processes
    pieces = [
        take(
            training_batches(source, processes=processes, process=process, replicas=replicas, **arguments),
            3 * local,
        )
        for process in range(processes)
    ]
    for step, batch in enumerate(whole):
        parts = [piece for own in pieces for piece in own[step * local : (step + 1) * local]]
        assert all(part["low"].shape[0] == 6 // replicas for part in parts)
        assert np.array_equal(np.concatenate([part["low"] for part in parts]), batch["low"])


def test_a_batch_larger_than_the_data_repeats_samples(source):
    assert steps_per_epoch(source, 10) == 1
    batch = take(training_batches(source, batch=10, patch=8, seed=0), 1)[0]
    seen = np.floor(batch["low"].mean(axis=(1, 2, 3)) * 100)
    assert batch["low"].shape == (10, 8, 8, 1) and set(seen) == set(range(COUNT))


def test_the_images_of_a_batch_are_named(source):
    batches = take(training_batches(source, batch=3, patch=8, seed=2), 4)
    for number, batch in enumerate(batches):
        epoch, step = divmod(number, steps_per_epoch(source, 3))
        numbers = (batch["low"].mean(axis=(1, 2, 3)) * 100).astype(int)
        assert images_of_batch(source, 3, 2, epoch, step) == [f"images/{n}.png" for n in numbers]


def test_a_patch_larger_than_an_image_says_what_fits(source):
    with pytest.raises(UserError, match=r"--patch 9 is more than .*images/0\.png; use at most 8"):
        training_batches(source, batch=1, patch=9, seed=0)
    with pytest.raises(
        UserError, match=r"^images/0\.png: its shorter side has 8 pixels; expected 11 or more"
    ):
        check_patch(source, 1, least=11)
    check_patch(source, 8, least=8)


def test_a_batch_that_replicas_cannot_share_is_an_error(source):
    with pytest.raises(UserError, match="--batch 4 cannot be shared equally by 3 replicas"):
        training_batches(source, batch=4, patch=8, seed=0, replicas=3)


def test_validation_sees_whole_images_in_order(source):
    images = take(whole_images(source), COUNT + 1)
    assert [image["low"].shape for image in images] == [(1, 8 + number, 12, 1) for number in range(COUNT)]
    read = source.reader()
    for number, image in enumerate(images):
        assert np.array_equal(image["high"][0], to_float(read(tf.constant(number, tf.int64))["high"]))
