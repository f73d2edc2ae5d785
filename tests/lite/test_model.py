"""The light network: its size, what it must do before it has learnt anything, and how it is cut."""

import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing.light_branches import branches
from kind.lite.model import lite_net
from kind.nn.exposure_layers import WithinHeadroom
from kind.nn.saving import load_net, save_net
from kind.ops.light import expose


@pytest.fixture(scope="module")
def net():
    tf.keras.utils.set_random_seed(0)
    return lite_net()


def random_images(*shape):
    return np.random.default_rng(0).random((*shape, 3), np.float32)


def test_it_is_as_small_as_promised(net):
    from tensorflow.python.profiler.model_analyzer import profile
    from tensorflow.python.profiler.option_builder import ProfileOptionBuilder

    assert net.count_params() <= 400_000
    graph = tf.function(lambda x: net(x, training=False)).get_concrete_function(
        tf.TensorSpec([1, 400, 600, 3])
    )
    options = {**ProfileOptionBuilder.float_operation(), "output": "none"}
    assert profile(graph.graph, options=options).total_float_ops <= 5.1e9


@pytest.mark.parametrize("size", [(1, 1), (37, 51), (64, 16)])
def test_any_size_gives_outputs_in_range(net, size):
    restored, stops, log_alpha = (part.numpy() for part in net(random_images(2, *size)))
    assert restored.shape == (2, *size, 3) and stops.shape == (2, *size, 1) and log_alpha.shape == (2, 1)
    assert restored.min() >= 0 and restored.max() <= 1
    assert stops.min() >= 0 and stops.max() <= 8


def test_without_stops_a_photograph_comes_back_as_it_is(net):
    parts, image = branches(net), random_images(1, 40, 56)
    _, colour, summary, _ = parts.exposure(parts.thumbnail(image))
    restored = parts.restoration([image, tf.zeros([1, 40, 56, 1]), colour + 0.3, summary])
    np.testing.assert_allclose(restored, image, atol=1e-5)


def test_the_branches_together_are_the_network(net):
    parts, image = branches(net), random_images(1, 45, 70)
    grid, colour, summary, log_alpha = parts.exposure(parts.thumbnail(image))
    stops = parts.stops([image, grid, tf.constant([[0.0, 0.0, 45.0, 70.0]])])
    whole = net(image)
    np.testing.assert_allclose(parts.restoration([image, stops, colour, summary]), whole[0], atol=1e-5)
    np.testing.assert_allclose(stops, whole[1], atol=1e-5)
    np.testing.assert_allclose(log_alpha, whole[2], atol=1e-5)
    plain = parts.exposed([image, stops, tf.zeros([1, 3])])
    np.testing.assert_allclose(plain, expose(tf.constant(image), stops), atol=1e-5)


def test_a_tile_has_the_stops_of_the_whole(net):
    stops, image = branches(net).stops, random_images(1, 60, 90)
    grid = tf.random.stateless_normal([1, 16, 16, 8], [0, 1])
    whole = stops([image, grid, tf.constant([[0.0, 0.0, 60.0, 90.0]])])
    tile = stops([image[:, 20:50, 30:], grid, tf.constant([[20.0, 30.0, 60.0, 90.0]])])
    np.testing.assert_allclose(tile[:, 2:-2, 2:], whole[:, 22:48, 32:], atol=1e-5)


def test_a_constant_grid_gives_constant_stops(net):
    place = tf.constant([[0.0, 0.0, 33.0, 47.0]])
    stops = branches(net).stops([random_images(1, 33, 47), tf.ones([1, 16, 16, 8]), place])
    np.testing.assert_allclose(stops, np.log1p(np.exp(2.0)) / 2, atol=1e-5)


def test_the_suggestion_hardly_follows_the_size(net):
    image = tf.constant(random_images(1, 16, 24))
    alphas = [float(net(tf.image.resize(image, [16 * n, 24 * n], "nearest"))[2][0, 0]) for n in (8, 16, 23)]
    assert np.ptp(alphas) < 0.02


def test_it_is_saved_and_read_without_lambdas(net, tmp_path):
    save_net(net, tmp_path / "lite.keras")
    image = random_images(1, 20, 36)
    for saved, now in zip(load_net(tmp_path / "lite.keras")(image), net(image)):
        np.testing.assert_allclose(saved, now, atol=1e-6)


@pytest.mark.parametrize("colour", [(0, 0, 0), (2, 2, 2), (20, 30, 90), (128, 128, 128), (255, 255, 255)])
def test_constant_images_come_back_whatever_the_weights(net, colour):
    image = np.full((1, 40, 56, 3), colour, np.float32) / 255
    restored, stops, log_alpha = net(image, training=False)
    np.testing.assert_allclose(restored, image, atol=0.5 / 255)
    assert np.max(stops) < 1e-3 and np.max(np.abs(log_alpha)) < 1e-3


def test_a_dark_photograph_keeps_its_stops(net):
    image = np.zeros((1, 40, 56, 3), np.float32)
    image[:, :, 28:] = 4 / 255
    _, stops, _ = net(image, training=False)
    assert np.min(stops) > 0.5


def test_an_addition_burns_no_highlight_out():
    image = np.float32([[[[0.0, 0.5, 1.0]], [[0.2, 0.6, 0.98]], [[0.3, 0.5, 0.9]]]])
    added = np.float32([[[[9.0, 9.0, 9.0]], [[0.1, -0.3, 0.002]], [[-0.5, 0.05, -9.0]]]])
    total = WithinHeadroom()([image, added]).numpy()
    np.testing.assert_allclose(total[0, 0, 0], [0.25, 0.625, 1.0], atol=2e-3)
    np.testing.assert_allclose(total[0, 1, 0], [0.3, 0.3, 0.982], atol=2e-3)
    np.testing.assert_allclose(total[0, 2, 0], [0.0, 0.55, 0.0], atol=2e-3)
