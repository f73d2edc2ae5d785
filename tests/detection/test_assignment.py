"""Task-aligned assignment against a plain transcription of the paper, and where KerasCV's own goes wrong."""

import math

import numpy as np
import pytest
import tensorflow as tf
from keras_cv.src.models.object_detection.yolo_v8.yolo_v8_label_encoder import YOLOV8LabelEncoder

from kind.detection.assignment import assign
from kind.detection.decoding import anchor_points

SIZE, CLASSES = 64, 3
CENTRES = anchor_points(SIZE, SIZE)[0].numpy()


def ciou(one, other):
    """Zheng et al., AAAI 2020, equations 5 to 11, of two boxes."""
    width, height = one[2] - one[0], one[3] - one[1]
    other_width, other_height = other[2] - other[0], other[3] - other[1]
    across = max(min(one[2], other[2]) - max(one[0], other[0]), 0)
    down = max(min(one[3], other[3]) - max(one[1], other[1]), 0)
    iou = across * down / (width * height + other_width * other_height - across * down)
    distance = (
        (one[0] + one[2] - other[0] - other[2]) ** 2 + (one[1] + one[3] - other[1] - other[3]) ** 2
    ) / 4
    diagonal = (max(one[2], other[2]) - min(one[0], other[0])) ** 2 + (
        max(one[3], other[3]) - min(one[1], other[1])
    ) ** 2
    aspect = 4 / math.pi**2 * (math.atan(other_width / other_height) - math.atan(width / height)) ** 2
    return iou - distance / diagonal - aspect * aspect / (1 - iou + aspect + 1e-12)


def transcription(scores, predicted, boxes, classes, top=10):
    """One image, anchor by anchor."""
    anchors = len(CENTRES)
    alignment, overlap = np.zeros((2, len(boxes), anchors))
    taken = np.zeros((len(boxes), anchors), bool)
    for g, (box, label) in enumerate(zip(boxes, classes)):
        for a, (x, y) in enumerate(CENTRES):
            if label >= 0 and box[0] < x < box[2] and box[1] < y < box[3]:
                overlap[g, a] = max(ciou(box, predicted[a]), 0)
                alignment[g, a] = scores[a, label] ** 0.5 * overlap[g, a] ** 6
        for a in np.argsort(-alignment[g])[:top]:
            taken[g, a] = alignment[g, a] > 0
    targets, found = np.zeros((anchors, CLASSES)), np.zeros((anchors, 4))
    for a in range(anchors):
        if taken[:, a].any():
            owner = max(np.flatnonzero(taken[:, a]), key=lambda g: overlap[g, a])
            taken[:, a] = np.arange(len(boxes)) == owner
    for g, label in enumerate(classes):
        for a in np.flatnonzero(taken[g]):
            share = alignment[g, a] / alignment[g, taken[g]].max()
            targets[a, label] = share * overlap[g, taken[g]].max()
            found[a] = boxes[g]
    return found, targets, taken.any(axis=0)


def random_case(seed, objects=5):
    """Predictions around the anchors, good ones and bad ones; objects that overlap, and padding."""
    generator = np.random.default_rng(seed)
    starts = generator.uniform(0, 40, (objects, 2))
    boxes = np.concatenate([starts, starts + generator.uniform(8, 24, (objects, 2))], 1).astype(np.float32)
    classes = generator.integers(0, CLASSES, objects).astype(np.int32)
    classes[-1] = -1
    reach = generator.uniform(1, 20, (len(CENTRES), 4))
    predicted = np.concatenate([CENTRES - reach[:, :2], CENTRES + reach[:, 2:]], 1).astype(np.float32)
    scores = generator.uniform(0.01, 1, (len(CENTRES), CLASSES)).astype(np.float32)
    return scores, predicted, boxes, classes


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_the_paper_says(seed):
    cases = [random_case(2 * seed), random_case(2 * seed + 1)]
    scores, predicted, boxes, classes = (tf.constant(np.stack(part)) for part in zip(*cases))
    found = assign(scores, predicted, CENTRES, boxes, classes)
    for number, case in enumerate(cases):
        expected = transcription(*case)
        assert np.array_equal(found.matched[number], expected[2]) and expected[2].any()
        np.testing.assert_allclose(found.boxes[number], expected[0], atol=1e-5)
        np.testing.assert_allclose(found.scores[number], expected[1], rtol=1e-3, atol=1e-5)


def test_where_all_goes_well_kerascvs_is_the_same():
    """One object, and predictions of its size that overlap it (for others KerasCV's CIoU is another)."""
    box = np.array([[[10, 12, 50, 44]]], np.float32)
    generator = np.random.default_rng(0)
    shifts = generator.uniform(-4, 4, (1, len(CENTRES), 2)).astype(np.float32)
    predicted = box[0] + np.tile(shifts, 2)
    scores = generator.uniform(0.1, 0.9, (1, len(CENTRES), CLASSES)).astype(np.float32)
    theirs = YOLOV8LabelEncoder(CLASSES)(
        scores,
        predicted,
        tf.constant(CENTRES),
        tf.constant([[0.0]]),
        tf.constant(box),
        tf.ones([1, 1, 1], bool),
    )
    ours = assign(scores, tf.constant(predicted), CENTRES, tf.constant(box), tf.constant([[0]]))
    np.testing.assert_allclose(ours.scores, theirs[1], atol=1e-5)
    assert ours.scores.numpy()[..., 0].max() > 0.5  # class 0 is a class
    assert np.array_equal(ours.matched[0], theirs[1].numpy()[0].max(axis=-1) > 0)


def test_boxes_far_away_do_not_align():
    """Negative CIoU to the sixth power is positive: KerasCV's encoder prefers such an anchor."""
    box = tf.constant([[[8.0, 8.0, 40.0, 40.0]]])
    predicted = np.tile(np.float32([60, 60, 62, 63]), (1, len(CENTRES), 1))
    scores = np.full((1, len(CENTRES), CLASSES), 0.5, np.float32)
    found = assign(scores, tf.constant(predicted), CENTRES, box, tf.constant([[1]]))
    assert not found.matched.numpy().any() and not found.scores.numpy().any()


@pytest.mark.parametrize("objects", [0, 2])
def test_without_objects_nothing_is_matched(objects):
    scores, predicted, *_ = random_case(0)
    boxes, classes = tf.zeros([1, objects, 4]), tf.fill([1, objects], -1)
    found = tf.function(assign)(
        tf.constant(scores[None]), tf.constant(predicted[None]), CENTRES, boxes, classes
    )
    assert not found.matched.numpy().any() and not found.scores.numpy().any()
