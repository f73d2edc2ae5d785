"""Photographs on the detector's square: where pixels and boxes go."""

import numpy as np
import pytest
import tensorflow as tf

from kind.detection.canvas import (
    OUTSIDE,
    Piece,
    filled,
    fitted,
    mirrored,
    mosaic,
    on_grey,
    recoloured,
    scattered,
)
from kind.detection.letterbox import GREY, letterbox, to_canvas


def marked(height, width, box, value=1.0):
    """A black photograph with a bright rectangle, and the rectangle as its box."""
    image = np.zeros((height, width, 3), np.float32)
    left, top, right, bottom = box
    image[top:bottom, left:right] = value
    return Piece(tf.constant(image), tf.constant([box], tf.float32), tf.constant([2]))


def bright_box(image):
    """The box around what is brighter than half."""
    rows, columns = np.nonzero(np.asarray(image)[..., 0] > 0.5)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("height,width", [(48, 64), (40, 100), (31, 17), (1, 1)])
def test_fitted_is_the_letterbox(height, width):
    image = tf.constant(np.random.default_rng(0).random((height, width, 3), np.float32))
    boxes = tf.constant([[0.0, 0.0, width / 2, height], [0.0, 0.0, 0.5, 0.5]])
    piece = fitted(Piece(image, boxes, tf.constant([0, 1])), 64)
    expected = letterbox(image[tf.newaxis], 64, square=True)
    np.testing.assert_allclose(on_grey(piece.image, piece.image), expected.images[0], atol=1e-5)
    np.testing.assert_allclose(piece.boxes, to_canvas(boxes, expected), rtol=1e-5)


def test_scattered_boxes_go_with_their_pixels():
    piece = marked(60, 80, [20, 16, 48, 40])
    sizes = set()
    for number in range(12):
        canvas = scattered(piece, 64, 0.4, tf.constant([0, number]))
        assert canvas.image.shape == (64, 64, 3)
        for box in canvas.boxes.numpy():
            np.testing.assert_allclose(box, bright_box(canvas.image), atol=1.5)
        sizes.add(round(float((canvas.image.numpy()[..., 0] > 0.5).sum())))
    assert len(sizes) > 6  # they differ in scale


def test_a_box_of_which_next_to_nothing_is_left_goes():
    piece = marked(64, 64, [0, 0, 12, 12])
    kept = [len(scattered(piece, 64, 0.9, tf.constant([1, number])).boxes) for number in range(30)]
    assert 0 < sum(kept) < 30


def test_a_mosaic_has_all_four_and_its_boxes_fit():
    pieces = [marked(64, 64, [24, 24, 40, 40], value) for value in (0.6, 0.7, 0.8, 0.9)]
    whole = 0
    for number in range(8):
        canvas = mosaic(pieces, 96, 0.2, tf.constant([0, number]))
        image = canvas.image.numpy()
        assert image.shape == (96, 96, 3) and len(canvas.boxes) == len(canvas.classes) <= 4
        for left, top, right, bottom in canvas.boxes.numpy().round().astype(int):
            assert image[top:bottom, left:right].mean() > 0.5
        # What is bright is in a box.
        covered = np.zeros((96, 96), bool)
        for left, top, right, bottom in canvas.boxes.numpy():
            covered[int(top) : int(bottom) + 1, int(left) : int(right) + 1] = True
        assert (image[..., 0] > 0.5)[~covered].sum() < 60  # slivers without a box
        whole += len(canvas.boxes)
    assert whole > 16


def test_mirrored_twice_is_the_same():
    piece = marked(40, 60, [5, 10, 20, 30])
    once = mirrored(piece)
    assert bright_box(once.image) == once.boxes[0].numpy().tolist()
    assert once.boxes[0].numpy().tolist() != piece.boxes[0].numpy().tolist()
    assert np.array_equal(mirrored(once).image, piece.image) and np.array_equal(
        mirrored(once).boxes, piece.boxes
    )


def test_recolouring_keeps_the_range_and_zero_changes_nothing():
    image = tf.constant(np.random.default_rng(0).random((9, 7, 3), np.float32))
    np.testing.assert_allclose(recoloured(image, 0.0, tf.constant([0, 0])), image, atol=1e-6)
    other = recoloured(image, 0.5, tf.constant([0, 0])).numpy()
    assert not np.allclose(other, image) and 0 <= other.min() <= other.max() <= 1


def test_the_outside_does_not_change_the_stretch_and_becomes_grey():
    image = np.random.default_rng(0).uniform(0.1, 0.3, (20, 30, 3)).astype(np.float32)
    canvas = fitted(Piece(tf.constant(image), tf.zeros([0, 4]), tf.zeros([0], tf.int32)), 32).image[
        tf.newaxis
    ]
    inside = canvas.numpy()[0][:21]
    assert (canvas.numpy()[0][21:] == OUTSIDE).all() and inside.min() >= 0
    for whole, part in (
        (tf.reduce_min(filled(canvas)), inside.min()),
        (tf.reduce_max(filled(canvas)), inside.max()),
    ):
        assert float(whole) == pytest.approx(part)
    assert (on_grey(canvas, canvas).numpy()[0][21:] == np.float32(GREY)).all()
    assert np.isfinite(filled(tf.fill([1, 8, 8, 3], OUTSIDE))).all()


def test_inside_tf_data_it_is_the_same():
    piece, seed = marked(33, 47, [5, 5, 30, 20]), tf.constant([3, 4])
    data = tf.data.Dataset.from_tensors(piece).map(lambda piece: scattered(piece, 32, 0.3, seed))
    for one, other in zip(next(iter(data)), scattered(piece, 32, 0.3, seed)):
        np.testing.assert_allclose(one, other, atol=1e-6)
