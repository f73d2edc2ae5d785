"""The selective scan against a recurrence in NumPy, values and gradients, and its block."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.nn.saving import load_net, save_net
from kind.nn.state_space import SelectiveScan2D, state_space_block
from kind.ops.selective_scan import four_ways, four_ways_back, selective_scan


def recurrence(x, d, a, b, c):
    """y, step by step, float64."""
    state, found = np.zeros(a.shape), []
    for t in range(x.shape[1]):
        state = np.exp(d[:, t, :, None] * a) * state + (d[:, t] * x[:, t])[..., None] * b[:, t, None]
        found.append((state * c[:, t, None]).sum(axis=-1))
    return np.stack(found, axis=1)


def gradients(x, d, a, b, c, upstream):
    """Of Σ upstream·y, by the recurrence backwards."""
    states = [np.zeros(a.shape)]
    for t in range(x.shape[1]):
        states.append(
            np.exp(d[:, t, :, None] * a) * states[-1] + (d[:, t] * x[:, t])[..., None] * b[:, t, None]
        )
    found = [np.zeros(part.shape) for part in (x, d, a, b, c)]
    later = np.zeros(a.shape)
    for t in reversed(range(x.shape[1])):
        later = later + upstream[:, t, :, None] * c[:, t, None]
        found[4][:, t] = (upstream[:, t, :, None] * states[t + 1]).sum(axis=1)
        factor = np.exp(d[:, t, :, None] * a)
        of_factor = later * states[t] * factor
        found[0][:, t] = d[:, t] * (later * b[:, t, None]).sum(axis=-1)
        found[1][:, t] = (of_factor * a).sum(-1) + x[:, t] * (later * b[:, t, None]).sum(axis=-1)
        found[2] += of_factor * d[:, t, :, None]
        found[3][:, t] = (later * (d[:, t] * x[:, t])[..., None]).sum(axis=1)
        later = later * factor
    return found


def inputs(length, sequences=2, channels=3, states=4):
    random = np.random.default_rng(length)
    x, b, c = (random.normal(size=(sequences, length, n)) for n in (channels, states, states))
    d = random.uniform(0.01, 1.5, (sequences, length, channels))
    a = -random.uniform(0.1, 2.0, (sequences, channels, states))
    return x, d, a, b, c


@pytest.mark.parametrize("length", [1, 7, 8, 29])
def test_the_scan_and_its_gradients_are_those_of_the_recurrence(length):
    given = inputs(length)
    upstream = np.random.default_rng(1).normal(size=given[0].shape)
    tensors = [tf.constant(part, tf.float32) for part in given]
    with tf.GradientTape() as tape:
        tape.watch(tensors)
        found = selective_scan(*tensors, chunk=8)
        loss = tf.reduce_sum(found * tf.constant(upstream, tf.float32))
    np.testing.assert_allclose(found, recurrence(*given), atol=2e-5)
    for ours, expected in zip(tape.gradient(loss, tensors), gradients(*given, upstream)):
        np.testing.assert_allclose(ours, expected, atol=2e-4)


def test_the_four_ways_lead_back():
    images = np.random.default_rng(0).random((2, 3, 5, 4), dtype=np.float32)
    ways = four_ways(tf.constant(images))
    np.testing.assert_array_equal(ways[0, 0, 1], images[0, 0, 1])
    np.testing.assert_array_equal(ways[1, 0, 1], images[0, 1, 0])
    np.testing.assert_array_equal(ways[3, 0, 0], images[0, -1, -1])
    np.testing.assert_allclose(four_ways_back(ways, 3, 5), 4 * images, rtol=1e-6)


def test_the_layer_is_four_recurrences_of_an_image_of_odd_size():
    keras.utils.set_random_seed(0)
    layer = SelectiveScan2D(states=2)
    images = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    found = layer(images)
    project, step, bias, log_decay, direct = (weights.numpy() for weights in layer.weights)
    ways = np.asarray(four_ways(tf.constant(images)))
    expected = []
    for k in range(4):
        projected = ways[k] @ project[k]
        rank = step.shape[1]
        d = np.logaddexp(0, projected[..., :rank] @ step[k] + bias[k])
        a = np.repeat(-np.exp(log_decay[k])[None], 2, axis=0)
        expected.append(
            recurrence(ways[k], d, a, projected[..., rank : rank + 2], projected[..., rank + 2 :])
        )
    expected = np.asarray(four_ways_back(tf.constant(np.stack(expected)), 3, 5)) + direct * images
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_block_is_kept_in_a_file_takes_any_size_and_learns_everywhere(tmp_path):
    image = keras.Input((None, None, 4))
    net = keras.Model(image, state_space_block(image, "block"), name="block")
    save_net(net, tmp_path / "block.keras")
    loaded = load_net(tmp_path / "block.keras")
    for size in ((1, 1), (9, 13)):
        values = np.random.default_rng(0).random((1, *size, 4), dtype=np.float32)
        np.testing.assert_allclose(net(values), loaded(values), atol=1e-6)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(net(values)))
    found = tape.gradient(loss, net.trainable_variables)
    assert all(np.isfinite(one).all() and np.abs(one).max() > 0 for one in found)
