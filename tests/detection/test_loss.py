"""The detector's loss against NumPy, and the traps that it is made to avoid."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from kind.detection.assignment import assign
from kind.detection.decoding import anchor_points, decode_boxes
from kind.detection.loss import TERMS, cross_entropy, detection_loss, distribution_focal_loss
from kind.detection.model import build_detector
from kind.detection.sizes import Proportions

SIZE = 64
ANCHORS = SIZE * SIZE * 21 // 1024
BOXES = tf.constant([[[4.0, 6.0, 40.0, 50.0], [20.0, 20.0, 60.0, 44.0]], [[0.0] * 4, [0.0] * 4]])
CLASSES = tf.constant([[0, 1], [-1, -1]])
NO_BOXES = [(tf.zeros([2, 0, 4]), tf.zeros([2, 0], tf.int32)), (tf.zeros([2, 3, 4]), tf.fill([2, 3], -1))]


@pytest.fixture
def raw():
    """Outputs as of a detector in the middle of training."""
    generator = np.random.default_rng(0)
    boxes = generator.normal(0, 1, (2, ANCHORS, 64)) + np.tile(np.linspace(2, -2, 16), 4)
    scores = generator.uniform(0.01, 0.9, (2, ANCHORS, 2))
    return {"boxes": tf.constant(boxes, tf.float32), "classes": tf.constant(scores, tf.float32)}


def test_the_terms_are_those_of_the_papers(raw):
    terms = {name: float(term) for name, term in detection_loss(raw, BOXES, CLASSES, SIZE).items()}
    centres, strides = (part.numpy().astype(float) for part in anchor_points(SIZE, SIZE))
    predicted = decode_boxes(raw["boxes"], SIZE, SIZE)
    target = assign(raw["classes"], predicted, centres.astype(np.float32), BOXES, CLASSES)
    scores, boxes = target.scores.numpy().astype(float), target.boxes.numpy().astype(float)
    weights = scores.sum(axis=-1)
    divisor = max(weights.sum(), 1)
    assert 3 < (weights > 0).sum() <= 20 and not weights[1].any()

    probabilities = raw["classes"].numpy().astype(float)
    entropy = -(scores * np.log(probabilities) + (1 - scores) * np.log(1 - probabilities)).sum()
    assert terms["class"] == pytest.approx(entropy / divisor, rel=1e-5)

    focal, overlap = 0.0, 0.0
    logarithms = log_softmax(raw["boxes"].numpy().astype(float).reshape(2, ANCHORS, 4, 16), axis=-1)
    for n, a in zip(*np.nonzero(weights)):
        sides = np.concatenate([centres[a] - boxes[n, a, :2], boxes[n, a, 2:] - centres[a]]) / strides[a]
        for side, distance in enumerate(np.minimum(sides, 14.99)):
            low = int(distance)
            pair = logarithms[n, a, side, low : low + 2]
            focal -= weights[n, a] * ((low + 1 - distance) * pair[0] + (distance - low) * pair[1]) / 4
        overlap += weights[n, a] * (1 - _ciou(boxes[n, a], predicted[n, a].numpy().astype(float)))
    assert terms["distribution"] == pytest.approx(focal / divisor, rel=1e-4)
    assert terms["box"] == pytest.approx(overlap / divisor, rel=1e-4)
    total = 7.5 * terms["box"] + 0.5 * terms["class"] + 1.5 * terms["distribution"]
    assert terms["loss"] == pytest.approx(total, rel=1e-6) and tuple(terms) == TERMS


def _ciou(one, other):
    sides = np.maximum(np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2]), 0)
    size, other_size = one[2:] - one[:2], other[2:] - other[:2]
    iou = sides.prod() / (size.prod() + other_size.prod() - sides.prod())
    around = np.maximum(one[2:], other[2:]) - np.minimum(one[:2], other[:2])
    centre = (one[:2] + one[2:] - other[:2] - other[2:]) / 2
    angles = np.arctan(size[0] / size[1]) - np.arctan(other_size[0] / other_size[1])
    aspect = 4 / np.pi**2 * angles**2
    return iou - centre @ centre / (around @ around) - aspect**2 / (1 - iou + aspect)


def test_weights_and_scale_are_used(raw):
    plain = detection_loss(raw, BOXES, CLASSES, SIZE)
    other = detection_loss(
        raw, BOXES, CLASSES, SIZE, box_weight=1.0, class_weight=2.0, distribution_weight=3.0, scale=4.0
    )
    expected = 4 * (plain["box"] + 2 * plain["class"] + 3 * plain["distribution"])
    assert float(other["loss"]) == pytest.approx(float(expected), rel=1e-6)
    assert all(float(other[name]) == float(plain[name]) for name in TERMS[1:])


def test_the_distribution_matters_and_not_only_its_mean(raw):
    """KerasCV's detector has no such term: bins around the distance and bins far off are the same to it."""
    logits = np.full((2, 1, 4, 16), -20.0, np.float32)
    logits[0, ..., 4:6], logits[1, ..., [0, 9]] = 0.0, 0.0  # the mean of both is 4.5
    near, far = distribution_focal_loss(tf.fill([2, 1, 4], 4.5), tf.reshape(logits, [2, 1, 64])).numpy()[:, 0]
    assert near == pytest.approx(np.log(2), rel=1e-5) and far > 10


@pytest.mark.parametrize("boxes,classes", NO_BOXES)
def test_a_batch_without_any_box_has_a_finite_loss_and_gradient(boxes, classes):
    net = build_detector(Proportions((16, 16, 32, 32), (1, 1, 1, 1), 1), ["a", "b"])
    with tf.GradientTape() as tape:
        terms = detection_loss(net(tf.zeros([2, SIZE, SIZE, 3]), training=True), boxes, classes, SIZE)
    assert float(terms["box"]) == float(terms["distribution"]) == 0 < float(terms["class"])
    gradients = [part for part in tape.gradient(terms["loss"], net.trainable_variables) if part is not None]
    assert gradients and all(np.isfinite(part).all() for part in gradients)


@pytest.mark.parametrize("run", [detection_loss, tf.function(detection_loss)])
def test_logits_in_place_of_probabilities_are_refused(raw, run):
    logits = tf.math.log(raw["classes"] / (1 - raw["classes"]))
    with pytest.raises(tf.errors.InvalidArgumentError, match="expects probabilities; received logits"):
        run({**raw, "classes": logits}, BOXES, CLASSES, SIZE)


def test_both_classes_are_learned(raw):
    """Class 0, too: at the anchors of an object its own score rises and the other's falls."""
    predicted = decode_boxes(raw["boxes"], SIZE, SIZE)
    target = assign(raw["classes"], predicted, anchor_points(SIZE, SIZE)[0], BOXES, CLASSES).scores.numpy()
    low = {**raw, "classes": tf.fill([2, ANCHORS, 2], 1e-9)}  # far below what Keras's cross-entropy cuts at
    with tf.GradientTape() as tape:
        tape.watch(low["classes"])
        loss = tf.reduce_sum(cross_entropy(target, low["classes"]))
    gradient = tape.gradient(loss, low["classes"]).numpy()
    for label in (0, 1):
        own = target[..., label] > 0.01
        assert own.any() and (gradient[..., label][own] < 0).all()
        assert (gradient[..., label][target[..., label] == 0] > 0).all()


def test_it_is_finite_whatever_the_scores(raw):
    for score in (0.0, 1.0):
        extreme = {**raw, "classes": tf.fill([2, ANCHORS, 2], score)}
        assert all(np.isfinite(term) for term in detection_loss(extreme, BOXES, CLASSES, SIZE).values())


def test_in_a_graph_it_is_the_same(raw):
    graph = tf.function(lambda raw, boxes, classes: detection_loss(raw, boxes, classes, SIZE))
    for name, term in detection_loss(raw, BOXES, CLASSES, SIZE).items():
        assert float(graph(raw, BOXES, CLASSES)[name]) == pytest.approx(float(term), rel=1e-5)
