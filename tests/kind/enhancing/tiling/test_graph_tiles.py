import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing.tiling.graph_tiles import TileSpec, in_tiles


def blurred(images):
    """Sees two pixels to each side, and pools cells of four."""
    blur = tf.nn.avg_pool2d(images, 5, 1, "SAME")
    cells = tf.nn.max_pool2d(tf.nn.max_pool2d(images, 2, 2, "SAME"), 2, 2, "SAME")
    cells = tf.repeat(tf.repeat(cells, 4, 1), 4, 2)[:, : tf.shape(images)[1], : tf.shape(images)[2]]
    return {"blur": blur, "cells": cells[..., :1]}


SQUARE = TileSpec(size=16, halo=8, whole_pixels=300)
SIZES = [(1, 1), (10, 30), (16, 48), (17, 33), (50, 9), (41, 70)]


def graph_of(function):
    return tf.function(function, input_signature=[tf.TensorSpec([1, None, None, 3])])


@pytest.fixture(scope="module")
def graph():
    return graph_of(
        lambda images: in_tiles(
            lambda window, origin: blurred(window), images, {"blur": 3, "cells": 1}, SQUARE
        )
    )


@pytest.mark.parametrize("size", SIZES)
def test_tiles_give_what_the_whole_image_gives(graph, size):
    images = np.random.default_rng(0).random((1, *size, 3), np.float32)
    for name, part in graph(images).items():
        np.testing.assert_allclose(part, blurred(images)[name], atol=1e-6, err_msg=name)


def test_small_images_need_no_cutting():
    assert SQUARE.holds(np.zeros((1, 20, 15, 3))) and not SQUARE.holds(np.zeros((1, 20, 16, 3)))
