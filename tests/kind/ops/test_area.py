"""Area-averaging resize against whole blocks, Pillow's box filter, and in parts."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kind.ops.area import area_resized, area_weights, weighted_areas


def test_whole_blocks_are_averaged():
    image = np.random.default_rng(0).random((2, 12, 20, 3), np.float32)
    blocks = image.reshape(2, 4, 3, 5, 4, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(area_resized(image, 4, 5), blocks, atol=1e-6)


def test_other_sizes_are_those_of_a_box_filter():
    image = np.random.default_rng(0).random((37, 53), np.float32)
    box = np.asarray(Image.fromarray(image).resize((11, 9), Image.Resampling.BOX))
    mine = area_resized(image[np.newaxis, ..., np.newaxis], 9, 11)[0, ..., 0]
    # Pillow gives a pixel to the one cell that holds its centre; here it is shared.
    np.testing.assert_allclose(mine, box, atol=0.12)
    assert float(tf.reduce_mean(mine)) == pytest.approx(image.mean(), abs=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (128, 128)])
def test_constant_images_stay_constant(size):
    np.testing.assert_allclose(area_resized(tf.fill([1, *size, 3], 0.3), 16, 16), 0.3, atol=1e-5)


def test_parts_add_up_to_the_whole():
    image = np.random.default_rng(1).random((1, 50, 41, 3), np.float32)
    total = 0.0
    for top, bottom in ((0, 17), (17, 50)):
        for left, right in ((0, 30), (30, 41)):
            rows = area_weights(bottom - top, 8, top, 50)
            columns = area_weights(right - left, 8, left, 41)
            total += weighted_areas(tf.constant(image[:, top:bottom, left:right]), rows, columns)
    np.testing.assert_allclose(total, area_resized(image, 8, 8), atol=1e-6)


def test_sizes_may_be_unknown():
    graph = tf.function(
        lambda x: area_resized(x, 6, 7), input_signature=[tf.TensorSpec([None, None, None, 3])]
    )
    image = np.random.default_rng(2).random((1, 31, 18, 3), np.float32)
    np.testing.assert_allclose(graph(image), area_resized(image, 6, 7), atol=1e-6)
