"""The count of arithmetic, against counts by hand."""

import pytest
import tensorflow as tf
from tensorflow import keras

from kind.profiling.operations import UnknownOperation, cost_of, count_operations


def flops(function, *shapes):
    return cost_of(count_operations(function, *shapes)).flops


def test_convolutions_count_their_multiply_adds_bias_and_activation():
    net = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(8, 3, padding="same")])
    assert flops(net, (1, 10, 12, 3)) == 10 * 12 * 8 * (2 * 9 * 3 + 1)
    net.add(keras.layers.LeakyReLU())
    assert flops(net, (2, 10, 12, 3)) == 2 * 10 * 12 * 8 * (2 * 9 * 3 + 2)
    strided = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(4, 5, 2, use_bias=False)])
    assert flops(strided, (1, 11, 13, 3)) == 4 * 5 * 4 * 2 * 25 * 3


def test_transposed_and_depthwise_convolutions():
    up = keras.Sequential(
        [keras.Input((None, None, 6)), keras.layers.Conv2DTranspose(4, 2, 2, use_bias=False)]
    )
    assert flops(up, (1, 5, 7, 6)) == 5 * 7 * 6 * 4 * 2 * 2 * 2
    kernel = tf.ones((3, 3, 5, 1))
    assert flops(lambda x: tf.nn.depthwise_conv2d(x, kernel, [1] * 4, "SAME"), (1, 4, 4, 5)) == 4 * 4 * 5 * 18


def test_pooling_resizing_matrices_and_reductions():
    assert flops(lambda x: tf.nn.max_pool2d(x, 2, 2, "SAME"), (1, 5, 6, 3)) == 3 * 3 * 3 * 4
    assert flops(lambda x: tf.image.resize(x, (8, 8)), (1, 4, 4, 2)) == 8 * 8 * 2 * 9
    assert flops(lambda x: tf.matmul(x, tf.ones((7, 3))), (5, 7)) == 2 * 5 * 7 * 3
    assert flops(tf.reduce_max, (1, 4, 5, 3)) == 60


def test_instance_normalisation_is_counted():
    """Mean and variance take a pass of additions each, the variance two more operations; then two more."""

    def instance_norm(x):
        mean, variance = tf.nn.moments(x, [1, 2], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + 1e-5)

    size, channels = 1 * 16 * 16 * 4, 4
    assert flops(instance_norm, (1, 16, 16, 4)) == 6 * size + 2 * channels


def test_moving_numbers_and_sizes_count_nothing():
    def move(x):
        size = tf.shape(x)[1] * 2 - 1
        return tf.concat([tf.transpose(x), tf.cast(tf.cast(tf.transpose(x), tf.bfloat16), tf.float32)], 0)[
            :size
        ]

    assert flops(move, (4, 4)) == 0


def test_functions_inside_are_counted_and_unknown_operations_refused():
    inner = tf.function(lambda x: x * 2.0 + 1.0)
    assert flops(lambda x: inner(x) + inner(x), (10,)) == 50
    with pytest.raises(UnknownOperation, match="Betainc"):
        flops(lambda x: tf.math.betainc(x, x, x), (3,))
    with pytest.raises(UnknownOperation, match="is not known"):
        flops(lambda x: tf.boolean_mask(x, x > 0) * 2.0, (3,))


def test_the_published_networks_cost_what_their_layers_do():
    from kind.illumination.model import adjustment_net

    net, (height, width) = adjustment_net(), (16, 24)
    multiply_adds = 9 * (2 * 32 + 32 * 32 + 32 * 32 + 32)
    others = 2 * (32 * 3 + 1) + 1  # bias and leaky ReLU of each convolution, and the sigmoid
    counted = flops(lambda *inputs: net(list(inputs)), (1, height, width, 1), (1, height, width, 1))
    assert counted == height * width * (2 * multiply_adds + others)


def moved(function, *shapes):
    return cost_of(count_operations(function, *shapes)).bytes


def test_every_operation_reads_and_writes_and_convolutions_do_what_follows_them():
    net = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(8, 3, padding="same")])
    in_float32 = 4 * (10 * 12 * 3 + 9 * 3 * 8 + 10 * 12 * 8)
    assert moved(net, (1, 10, 12, 3)) == in_float32
    net.add(keras.layers.LeakyReLU())
    assert moved(net, (1, 10, 12, 3)) == in_float32
    in_float32 += 4 * 2 * 10 * 12 * 8
    assert moved(lambda x: tf.exp(net(x)), (1, 10, 12, 3)) == in_float32
    assert moved(lambda x: tf.exp(tf.cast(x, tf.bfloat16)), (10,)) == 10 * (4 + 2) + 10 * (2 + 2)
    assert moved(lambda x: tf.reshape(x[:2] + 1.0, [-1]), (5, 3)) == 2 * 6 * 4 + (2 * 6 + 1) * 4


def test_a_convolution_is_named_as_what_tensorflow_makes_of_it():
    first, second = keras.layers.Conv2D(2, 1, name="first"), keras.layers.Conv2D(2, 1, name="second")
    relu = keras.layers.LeakyReLU(name="end")
    counted = count_operations(lambda x: relu(first(x) + second(x)), (1, 3, 3, 2))
    assert [each.layer for each in counted if each.type == "Conv2D"] == ["first", "end"]
