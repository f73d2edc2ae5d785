"""Tensor functions against NumPy, SciPy and scikit-image."""

import numpy as np
import pytest
import skimage.filters
import skimage.metrics
import tensorflow as tf

from kind.enhancing.tiling.tiles import tiles
from kind.ops.colour import PUBLISHED_BT601, PUBLISHED_BT709, gray
from kind.ops.gaussian import gaussian_blur
from kind.ops.gradient import gradient
from kind.ops.ssim import ssim
from kind.ops.stretch import min_max_stretch


def noise(*shape, seed=0):
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (25, 31)])
@pytest.mark.parametrize("sigma", [0.7, 3.0])
def test_blur_equals_scikit_image(size, sigma):
    image = noise(2, *size, 3)
    expected = [skimage.filters.gaussian(one, sigma, mode="nearest", channel_axis=-1) for one in image]
    np.testing.assert_allclose(gaussian_blur(image, sigma), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(11, 11), (12, 33), (24, 17)])
def test_ssim_equals_scikit_image(size):
    first, second = noise(2, *size, 3), noise(2, *size, 3, seed=1) ** 2
    expected = [
        skimage.metrics.structural_similarity(
            *pair, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1, channel_axis=2
        )
        for pair in zip(first, second)
    ]
    np.testing.assert_allclose(ssim(first, second), expected, atol=2e-5)


def test_ssim_refuses_what_its_window_does_not_fit_in():
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(noise(1, 10, 30, 3), noise(1, 10, 30, 3))
    in_graph = tf.function(ssim, input_signature=[tf.TensorSpec([None, None, None, 3])] * 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 11x11"):
        in_graph(noise(1, 10, 30, 3), noise(1, 10, 30, 3))


def test_stretch_uses_the_whole_range_of_each_image_and_leaves_constants_black():
    images = np.stack([0.2 + 0.3 * noise(8, 9, 3), np.full((8, 9, 3), 0.4, np.float32)])
    stretched = min_max_stretch(images).numpy()
    first = images[0]
    np.testing.assert_allclose(stretched[0], (first - first.min()) / (first.max() - first.min()), atol=1e-6)
    assert not stretched[1].any()


def test_stretch_equals_the_published_loading_code(shared):
    arrays = np.load(shared / "reference/kind/decom_forward.npz", allow_pickle=False)
    for name in ("a", "flat", "black"):
        image = arrays[f"norm_{name}_uint8"][np.newaxis] / np.float32(255)
        np.testing.assert_allclose(min_max_stretch(image)[0], arrays[f"norm_{name}_out"], atol=1e-6)


@pytest.mark.parametrize("weights", [PUBLISHED_BT601, PUBLISHED_BT709])
def test_grey_is_the_weighted_sum(weights):
    image = noise(2, 3, 4, 3)
    np.testing.assert_allclose(gray(image, weights)[..., 0], image @ np.float32(weights), atol=1e-6)


def test_gradient_of_one_bright_pixel():
    image = np.zeros((1, 4, 4, 1), np.float32)
    image[0, 2, 2] = 1
    across = gradient(image, "x")[0, ..., 0].numpy()
    down = gradient(image, "y")[0, ..., 0].numpy()
    # The kernel sits one pixel up and left of the difference that it makes.
    assert across[1, 1] == 1 and across[1, 2] == -1 and np.abs(across).sum() == 2
    assert down[1, 1] == 1 and down[2, 1] == -1 and np.abs(down).sum() == 2
    with pytest.raises(ValueError, match="'x' or 'y'"):
        gradient(image, "z")


@pytest.mark.parametrize("length", [1, 15, 16, 17, 100, 257])
def test_tiles_deliver_every_pixel_once_with_its_surroundings(length):
    delivered = []
    for tile in tiles(length, size=32, halo=16, stride=16):
        assert tile.start % 16 == 0
        assert (
            tile.start == max(0, tile.keep_start - 16)
            and tile.stop == min(length, tile.keep_stop + 16)
            or (tile.keep_stop == length and tile.stop == length)
        )
        delivered += range(length)[tile.start : tile.stop][tile.kept]
    assert delivered == list(range(length))
    with pytest.raises(ValueError, match="multiples of 16"):
        tiles(length, size=30, halo=16, stride=16)
