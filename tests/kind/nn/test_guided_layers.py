"""The layers of the guided networks against NumPy and SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import uniform_filter

from kind.nn.guided_layers import (
    AdaptiveNormalization,
    AppliedSlope,
    Enlarged,
    GridPooling,
    InstanceNormalization,
    LocalMoments,
)
from kind.ops.bilinear import bilinear_at
from kind.ops.blocks import block_mean, block_mean_array
from kind.ops.guided_filter import guided_filter, guided_upsampling


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def box(values, radius):
    """Means over squares cut at the borders, [H, W, C]: sums of zeros outside, divided by counts."""
    size = (2 * radius + 1, 2 * radius + 1, 1)
    sums = uniform_filter(values.astype(np.float64), size, mode="constant")
    return sums / uniform_filter(np.ones(values.shape), size, mode="constant")


def numpy_coefficients(guide, values, radius, epsilon):
    means = box(guide, radius), box(values, radius)
    covariance = box(guide * values, radius) - means[0] * means[1]
    slope = covariance / (box(guide * guide, radius) - means[0] ** 2 + epsilon)
    return slope, means[1] - slope * means[0]


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize(
    ("size", "radius", "epsilon"),
    [((1, 1), 1, 1e-2), ((7, 9), 1, 1e-4), ((16, 16), 2, 1e-2), ((13, 31), 4, 1.0), ((5, 6), 8, 1e-3)],
)
def test_the_guided_filter_is_numpys(size, radius, epsilon, wrap):
    guide, values = noise(1, *size, 3), noise(1, *size, 3, seed=1)
    guide, values = guide.astype(np.float64), values.astype(np.float64)
    slope, offset = numpy_coefficients(guide[0], values[0], radius, epsilon)
    expected = box(slope, radius) * guide[0] + box(offset, radius)
    found = wrap(lambda *images: guided_filter(*images, radius, epsilon))(tf.constant(guide), values)
    np.testing.assert_allclose(found[0], expected, atol=1e-9)


@pytest.mark.parametrize("wrap", [lambda function: function, tf.function], ids=["eager", "graph"])
@pytest.mark.parametrize(
    ("size", "radius", "epsilon"),
    [((1, 1), 1, 1e-2), ((7, 9), 1, 1e-4), ((16, 5), 2, 1e-2), ((6, 8), 5, 1.0)],
)
def test_the_learned_filter_with_the_closed_form_for_its_slope_is_numpys(size, radius, epsilon, wrap):
    guide, values = noise(2, *size, 3), noise(2, *size, 3, seed=1)
    layer = LocalMoments(radius)
    mean_guide, mean_values, joint = wrap(layer)([tf.constant(guide), tf.constant(values)])
    covariance, variance = tf.split(joint, 2, axis=-1)
    slope = covariance / (variance + epsilon)
    offset = mean_values - slope * mean_guide
    output = wrap(AppliedSlope())([tf.constant(guide), tf.concat([slope, offset], axis=-1)])
    for number in range(2):
        expected = numpy_coefficients(guide[number], values[number], radius, epsilon)
        np.testing.assert_allclose(slope[number], expected[0], atol=1e-4)
        np.testing.assert_allclose(offset[number], expected[1], atol=1e-4)
        np.testing.assert_allclose(output[number], expected[0] * guide[number] + expected[1], atol=1e-4)
    assert layer.window.trainable and layer.count_params() == 3 * (2 * radius + 1) ** 2


def test_guided_upsampling_follows_the_edges_of_the_full_image():
    guide = noise(1, 30, 33, 1) * 0.2
    guide[:, :, 13:] += 0.8  # no multiple of 4
    small = block_mean(tf.constant(guide), 4)
    result = guided_upsampling(guide, small, 0.5 * small + 0.1, 1, 1e-6)
    np.testing.assert_allclose(result, 0.5 * guide + 0.1, atol=1e-3)


def test_the_adaptive_norm_is_numpys_and_its_momentum_is_kerass():
    layer = AdaptiveNormalization(momentum=0.25, epsilon=1e-3)
    values = noise(2, 5, 4, 3) * 4
    mean, variance = values.mean((0, 1, 2)), values.var((0, 1, 2))
    normal = (values - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(layer(values, training=True), normal, atol=1e-5)  # w0 = 0, w1 = 1
    count = values[..., 0].size
    new = variance * count / (count - 1)  # the unbiased estimate is kept, as in PyTorch
    np.testing.assert_allclose(layer.normalise.moving_mean, 0.25 * 0 + 0.75 * mean, rtol=1e-5)
    np.testing.assert_allclose(layer.normalise.moving_variance, 0.25 * 1 + 0.75 * new, rtol=1e-4)
    layer.of_input.assign([0.5])
    layer.of_normalised.assign([2.0])
    moving = layer.normalise.moving_mean.numpy(), layer.normalise.moving_variance.numpy()
    expected = 0.5 * values + 2 * (values - moving[0]) / np.sqrt(moving[1] + 1e-3)
    np.testing.assert_allclose(layer(values, training=False), expected, atol=1e-5)


def test_by_default_statistics_are_all_but_the_last_batchs_as_published():
    """PyTorch's momentum 0.999 takes 0.999 of the new statistics."""
    layer, values = AdaptiveNormalization(), noise(1, 8, 8, 2) + 3
    layer(values, training=True)
    np.testing.assert_allclose(layer.normalise.moving_mean, 0.999 * values.mean((0, 1, 2)), rtol=1e-5)


def test_the_instance_norm_is_numpys():
    values = noise(2, 6, 5, 3)
    mean, variance = values.mean((1, 2), keepdims=True), values.var((1, 2), keepdims=True)
    found = InstanceNormalization()(values)
    np.testing.assert_allclose(found, (values - mean) / np.sqrt(variance + 1e-5), atol=1e-4)


@pytest.mark.parametrize(("size", "grid"), [((1, 1), (8, 8)), ((3, 5), (8, 13)), ((20, 30), (8, 12))])
def test_pooling_over_a_grid_averages_pytorchs_cells(size, grid):
    values = noise(2, *size, 3)
    expected = np.empty((2, *grid, 3), np.float32)
    for row in range(grid[0]):
        for column in range(grid[1]):
            rows, columns = (
                slice(number * length // cells, -(-(number + 1) * length // cells))
                for number, length, cells in zip((row, column), size, grid)
            )
            expected[:, row, column] = values[:, rows, columns].mean((1, 2))
    np.testing.assert_allclose(GridPooling(8)(values), expected, atol=1e-6)
    unknown = tf.function(GridPooling(8), input_signature=[tf.TensorSpec([None, None, None, 3])])
    np.testing.assert_allclose(unknown(values), expected, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (8, 12), (37, 21)])
def test_parts_are_enlarged_as_the_whole(size):
    image = noise(1, *size, 3)
    small = block_mean(tf.constant(image), 4)
    expected = [-(-side // 4) for side in size]
    assert small.shape[1:3] == expected
    np.testing.assert_allclose(
        small[0, -1, -1], image[0, (expected[0] - 1) * 4 :, (expected[1] - 1) * 4 :].mean((0, 1)), atol=1e-6
    )
    levels = (image[0] * 65535).astype(np.uint16)
    np.testing.assert_allclose(block_mean_array(levels, 4), small[0], atol=2e-5)
    whole = Enlarged(4)([small, image])
    rows, columns = slice(size[0] // 3, size[0]), slice(size[1] // 2, size[1])
    start = (float(rows.start), float(columns.start))
    part = bilinear_at(small, start, (0.25, 0.25), image[0, rows, columns].shape[:2])
    np.testing.assert_allclose(part, whole[:, rows, columns], atol=1e-6)
    place = tf.constant([[*start, 0.25, 0.25]])
    np.testing.assert_allclose(Enlarged(4)([small, image[:, rows, columns], place]), part, atol=1e-6)
