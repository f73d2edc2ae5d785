"""Complete IoU against NumPy, in double precision."""

import math

import numpy as np
import pytest
import tensorflow as tf

from kind.detection.iou import complete_iou


def reference(one, other):
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    size, other_size = one[2:] - one[:2], other[2:] - other[:2]
    iou = sides.prod() / (size.prod() + other_size.prod() - sides.prod())
    around = np.maximum(one[2:], other[2:]) - np.minimum(one[:2], other[:2])
    apart = (one[:2] + one[2:] - other[:2] - other[2:]) / 2
    aspect = 4 / math.pi**2 * (math.atan2(*size) - math.atan2(*other_size)) ** 2
    return iou - apart @ apart / (around @ around) - aspect**2 / (1 - iou + aspect)


def test_it_is_that_of_the_paper():
    starts, sides = np.random.default_rng(0).uniform(1, 50, (2, 2, 40, 2))
    boxes = np.concatenate([starts, starts + sides], axis=-1)
    expected = [reference(one, other) for one, other in zip(*boxes)]
    assert min(expected) < -0.3 and max(expected) > 0.3
    np.testing.assert_allclose(complete_iou(*tf.constant(boxes, tf.float32)), expected, atol=1e-5)


def test_equal_boxes_overlap_wholly_and_shapes_are_broadcast():
    boxes = tf.constant([[0.0, 0.0, 10.0, 4.0], [5.0, 5.0, 6.0, 30.0]])
    table = complete_iou(boxes[:, tf.newaxis], boxes).numpy()
    assert table.shape == (2, 2) and np.allclose(np.diag(table), 1) and table[0, 1] < 0
    assert table[0, 1] == pytest.approx(table[1, 0])


def test_boxes_without_area_have_finite_values_and_gradients():
    boxes = tf.Variable([[3.0, 3.0, 3.0, 3.0], [0.0, 0.0, 0.0, 0.0], [1.0, 1.0, 4.0, 1.0]])
    with tf.GradientTape() as tape:
        values = complete_iou(boxes, tf.constant([[0.0, 0.0, 0.0, 0.0]]))
    assert np.isfinite(values).all() and np.isfinite(tape.gradient(values, boxes)).all()
