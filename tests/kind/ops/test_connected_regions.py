"""Connected regions in a graph, against scikit-image."""

import numpy as np
import pytest
import tensorflow as tf
from skimage.measure import label, regionprops

from kind.nn.graphs import as_graph
from kind.ops.connected_regions import connected_regions


@as_graph
def find(mask, values):
    found = connected_regions(mask)
    return found, found.means(values)


def spiral(size):
    mask = np.zeros((size, size), bool)
    for rim in range(0, size // 2, 2):
        mask[rim : size - rim, rim : size - rim] = True
        mask[rim + 1 : size - rim - 1, rim + 1 : size - rim - 1] = False
        mask[rim + 1, rim], mask[rim + 2 : rim + 3, rim + 1] = False, rim + 4 < size // 2
    return mask


def random_mask(shape, share, seed=0):
    return np.random.default_rng(seed).random(shape) < share


@pytest.mark.parametrize(
    "mask",
    [
        np.zeros((4, 5), bool),
        np.ones((1, 1), bool),
        np.ones((37, 21), bool),
        np.eye(9, dtype=bool),  # touching at corners only
        np.tile([[True], [False]], (8, 3)),
        spiral(41),
        *(random_mask((31, 44), share) for share in (0.1, 0.4, 0.59, 0.7)),
    ],
)
def test_regions_are_those_of_scikit_image(mask):
    values = np.random.default_rng(1).random(mask.shape, np.float32)
    found, means = find(tf.constant(mask), tf.constant(values))
    numbered = label(mask, connectivity=1)
    expected = regionprops(numbered, values)
    np.testing.assert_array_equal(found.numbers, numbered - 1)
    assert found.areas.numpy().tolist() == [part.area for part in expected]
    boxes = [[part.bbox[place] for place in (1, 0, 3, 2)] for part in expected]
    assert found.boxes.numpy().tolist() == boxes
    np.testing.assert_allclose(means, [part.intensity_mean for part in expected], rtol=1e-6)
