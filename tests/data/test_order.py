import numpy as np
import pytest
import tensorflow as tf

from kind.data.order import sample_seed, shuffled_index


def order(count, seed, epoch):
    position = tf.range(count, dtype=tf.int64)
    return [int(shuffled_index(p, count, seed, tf.constant(epoch, tf.int64))) for p in position]


@pytest.mark.parametrize("count", [1, 2, 7, 64, 101])
def test_an_epoch_is_a_permutation(count):
    assert sorted(order(count, seed=3, epoch=5)) == list(range(count))


def test_positions_past_the_end_start_over():
    epoch = tf.constant(2, tf.int64)
    first, again = (int(shuffled_index(tf.constant(p, tf.int64), 5, 0, epoch)) for p in (1, 6))
    assert first == again


def test_epochs_and_seeds_differ_and_nothing_is_remembered():
    orders = {(seed, epoch): order(20, seed, epoch) for seed in (0, 1, 2**31 - 1) for epoch in (0, 1, 2)}
    assert len({tuple(value) for value in orders.values()}) == len(orders)
    for (seed, epoch), value in reversed(orders.items()):
        assert order(20, seed, epoch) == value


def test_all_places_are_equally_likely():
    first = np.array([order(4, seed=0, epoch=epoch)[0] for epoch in range(400)])
    counts = np.bincount(first, minlength=4)
    assert np.sum((counts - 100) ** 2 / 100) < 16.3  # chi-squared, 3 degrees of freedom, p = 0.001


def test_a_dataset_gives_the_same_numbers():
    epoch = tf.constant(4, tf.int64)
    dataset = tf.data.Dataset.range(11).map(lambda p: shuffled_index(p, 11, 9, epoch))
    assert [int(index) for index in dataset] == order(11, 9, 4)


def test_sample_seeds_differ_by_seed_epoch_and_position():
    seeds = {
        tuple(sample_seed(seed, tf.constant(epoch, tf.int64), tf.constant(position, tf.int64)).numpy())
        for seed in (0, 1)
        for epoch in range(4)
        for position in range(8)
    }
    assert len(seeds) == 2 * 4 * 8
