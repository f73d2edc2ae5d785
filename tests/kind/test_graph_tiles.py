import numpy as np
import pytest
import tensorflow as tf

from kind.graph_tiles import in_tiles


def blurred(images):
    """Sees two pixels to each side, and pools cells of four."""
    blur = tf.nn.avg_pool2d(images, 5, 1, "SAME")
    cells = tf.nn.max_pool2d(tf.nn.max_pool2d(images, 2, 2, "SAME"), 2, 2, "SAME")
    cells = tf.repeat(tf.repeat(cells, 4, 1), 4, 2)[:, : tf.shape(images)[1], : tf.shape(images)[2]]
    return {"blur": blur, "cells": cells[..., :1]}


@pytest.fixture(scope="module")
def graph():
    def run(images):
        return in_tiles(blurred, images, {"blur": 3, "cells": 1}, size=16, halo=8, whole_pixels=300)

    return tf.function(run, input_signature=[tf.TensorSpec([1, None, None, 3])])


@pytest.mark.parametrize("size", [(1, 1), (10, 30), (16, 48), (17, 33), (50, 9), (41, 70)])
def test_tiles_give_what_the_whole_image_gives(graph, size):
    images = np.random.default_rng(0).random((1, *size, 3), np.float32)
    for name, part in graph(images).items():
        np.testing.assert_allclose(part, blurred(images)[name], atol=1e-6, err_msg=name)
