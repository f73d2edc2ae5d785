"""The layers of change detection against SciPy and scikit-image."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import convolve
from skimage.filters import gaussian

from kind.nn.change_layers import (
    SCHARR,
    AbsoluteDifference,
    ChannelStatistics,
    GatedSum,
    GaussianDifference,
    ScharrEdges,
)


def images(*shape):
    return np.random.default_rng(0).random(shape, dtype=np.float32)


@pytest.mark.parametrize("size", [(1, 1), (5, 8)])
def test_scharr_edges_are_scipys_with_the_border_repeated(size):
    given = images(2, *size, 3)
    found = ScharrEdges()(given).numpy().reshape(2, *size, 3, 4)
    for image in range(2):
        for channel in range(3):
            for number, kernel in enumerate(SCHARR):
                expected = np.abs(convolve(given[image, ..., channel], kernel[::-1, ::-1], mode="nearest"))
                np.testing.assert_allclose(found[image, ..., channel, number], expected, atol=1e-6)


def test_scharr_kernels_are_one_kernel_turned():
    assert np.allclose(SCHARR.sum(axis=(1, 2)), 0)
    assert np.allclose(np.abs(SCHARR).sum(axis=(1, 2)), 1)
    np.testing.assert_array_equal(SCHARR[1], SCHARR[0].T)
    np.testing.assert_array_equal(SCHARR[3], SCHARR[2][:, ::-1])


@pytest.mark.parametrize("sigmas", [(1.0, 1.6), (0.5, 2.0)])
def test_a_difference_of_gaussians_is_scikit_images(sigmas):
    given = images(1, 7, 12, 2)
    found = GaussianDifference(*sigmas)(given).numpy()[0]
    narrow, wide = (gaussian(given[0], s, mode="nearest", truncate=8 / s, channel_axis=-1) for s in sigmas)
    np.testing.assert_allclose(found, narrow - wide, atol=1e-5)


def test_flat_areas_have_no_second_order_edges_and_sigma_is_learnt_within_its_range():
    layer = GaussianDifference(learned=True)
    assert np.abs(layer(np.full([1, 6, 6, 3], 0.7, np.float32))).max() < 1e-6
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(layer(images(1, 6, 6, 3))))
    (gradient,) = tape.gradient(loss, layer.trainable_variables)
    assert np.isfinite(gradient).all() and np.abs(gradient).min() > 0
    (sigma,) = layer.trainable_variables
    np.testing.assert_allclose(sigma.constraint(tf.constant([-1.0, 9.0])), [0.3, 4.0])
    fixed = GaussianDifference()
    fixed(images(1, 3, 3, 1))
    assert fixed.trainable_variables == [] and GaussianDifference.from_config(layer.get_config()).learned


def test_sigma_out_of_range_is_refused():
    with pytest.raises(ValueError, match="σ expects 0.3 to 4.0"):
        GaussianDifference(0.1)


def test_differences_statistics_and_gates():
    first, second = images(1, 2, 3, 4), images(1, 2, 3, 4)[:, ::-1]
    np.testing.assert_array_equal(AbsoluteDifference()([first, second]), np.abs(first - second))
    statistics = ChannelStatistics()(first).numpy()
    np.testing.assert_allclose(statistics[..., 0], first.mean(axis=-1), rtol=1e-6)
    np.testing.assert_array_equal(statistics[..., 1], first.max(axis=-1))
    np.testing.assert_array_equal(GatedSum()([first, second, np.ones_like(first)]), first)
    np.testing.assert_array_equal(GatedSum()([first, second, np.zeros_like(first)]), first + second)
