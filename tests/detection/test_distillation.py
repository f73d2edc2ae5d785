"""New classes without forgetting the old ones."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from kind.detection.config import DetectionConfig
from kind.detection.distillation import (
    DistillingStage,
    box_divergence,
    extended,
    feature_divergence,
    response_divergence,
)
from kind.detection.model import build_detector
from kind.detection.sizes import Proportions
from kind.detection.stage import DetectionStage
from kind.errors import UserError

TINY = Proportions((8, 16, 16, 32), (1, 1, 1, 1), 1)
SIZE = 64


def copy_of(net):
    """A network of the same architecture with the same weights."""
    copy = net.__class__.from_config(net.get_config())
    copy.set_weights(net.get_weights())
    return copy


def test_features_of_a_channel_are_a_distribution_over_places():
    teacher, student = np.random.default_rng(0).normal(0, 3, (2, 2, 3, 5, 4)).astype(np.float32)
    expected = []
    for n in range(2):
        for c in range(4):
            known, learned = (log_softmax(part[n, ..., c].ravel() / 2) for part in (teacher, student))
            expected.append(4 * (np.exp(known) * (known - learned)).sum())
    assert float(feature_divergence(teacher, student)) == pytest.approx(np.mean(expected), rel=1e-4)
    assert float(feature_divergence(teacher, teacher)) == 0
    # A channel's level does not matter, only where it is high.
    assert float(feature_divergence(teacher, teacher + 5)) == pytest.approx(0, abs=1e-5)


def test_responses_are_compared_class_by_class():
    known, learned = np.random.default_rng(0).uniform(0.01, 0.99, (2, 2, 6, 3))
    divergence = known * np.log(known / learned) + (1 - known) * np.log((1 - known) / (1 - learned))
    found = response_divergence(*(tf.constant(part, tf.float32) for part in (known, learned)))
    assert float(found) == pytest.approx(divergence.sum(axis=(1, 2)).mean(), rel=1e-4)


def test_boxes_are_compared_side_by_side_where_the_teacher_sees_something():
    generator = np.random.default_rng(1)
    teacher, student = generator.normal(0, 4, (2, 2, 5, 64)).astype(np.float32)
    scores = generator.random((2, 5, 3)).astype(np.float32)
    known, learned = (log_softmax(part.reshape(2, 5, 4, 16) / 10, axis=-1) for part in (teacher, student))
    divergence = 100 * (np.exp(known) * (known - learned)).sum(-1).mean(-1)
    weights = scores.max(-1)
    expected = (weights * divergence).sum() / weights.sum()
    assert float(box_divergence(teacher, student, scores)) == pytest.approx(expected, rel=1e-4)
    assert float(box_divergence(teacher, teacher, scores)) == 0
    assert float(box_divergence(teacher, student, 0 * scores)) == 0


@pytest.mark.slow
def test_a_teacher_of_another_size_teaches_by_its_responses():
    teacher = build_detector(Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1), ["a"])
    for number, weight in enumerate(teacher.trainable_variables):  # new networks say the same of every box
        weight.assign_add(tf.random.stateless_normal(weight.shape, (0, number)))
    settings = DetectionConfig(image_size=SIZE, feature_weight=0.0, box_response_weight=0.5, batch=1)
    stage = DistillingStage(build_detector(TINY, ["a", "b"]), settings, teacher)
    sample = {name: part[:1] for name, part in scenes(np.random.default_rng(0), 1, {0}).items()}
    weights = stage.net.trainable_variables
    with tf.GradientTape() as tape:
        found = stage.losses(sample, training=False)
        taught = found["box_responses"]
    assert float(found["features"]) == 0
    assert float(found["responses"]) > 0.01 and float(taught) > 0.01
    moved = {w.name for w, part in zip(weights, tape.gradient(taught, weights)) if part is not None}
    assert any("head_1_box" in name for name in moved) and not any("class" in name for name in moved)
    yolox = build_detector(Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1, "yolox", True), ["a"])
    with pytest.raises(UserError, match="expects YOLOv8's distributions of boxes; a YOLOX has none"):
        DistillingStage(build_detector(TINY, ["a", "b"]), settings, yolox)


def test_the_student_begins_as_the_teacher():
    teacher = build_detector(TINY, ["a", "b"])
    student = extended(teacher, ["b", "new", "a"])
    images = tf.constant(np.random.default_rng(0).random((1, SIZE, SIZE, 3), np.float32))
    known, learned = teacher(images)["classes"].numpy(), student(images)["classes"].numpy()
    np.testing.assert_allclose(learned[..., [2, 0]], known, rtol=1e-5)
    assert np.array_equal(student(images)["boxes"], teacher(images)["boxes"])
    assert student.class_names == ("b", "new", "a") and len(student.class_layers) == 3


def test_what_does_not_fit_is_named():
    teacher, config = build_detector(TINY, ["a", "b"]), DetectionConfig(image_size=SIZE)
    with pytest.raises(UserError, match="--teacher knows classes that the data set does not name: b"):
        DistillingStage(build_detector(TINY, ["a", "c"]), config, teacher)
    other = build_detector(Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1), ["a", "b", "c"])
    with pytest.raises(UserError, match="--teacher expects a detector of the student's proportions"):
        DistillingStage(other, config, teacher)


def scenes(generator, count, labelled):
    """Bright squares (class 0) and dark bars (class 1) on grey, of which only `labelled` ones have boxes."""
    images = generator.uniform(0.45, 0.55, (count, SIZE, SIZE, 3)).astype(np.float32)
    boxes, classes = np.zeros((count, 2, 4), np.float32), np.full((count, 2), -1, np.int32)
    for n in range(count):
        for label, (height, width, value) in enumerate(((24, 24, 0.95), (12, 28, 0.05))):
            top = generator.integers(0, 32 - height + 1) + 32 * label
            left = generator.integers(0, SIZE - width)
            images[n, top : top + height, left : left + width] = value
            if label in labelled:
                boxes[n, label], classes[n, label] = [left, top, left + width, top + height], label
    return {"image": tf.constant(images), "boxes": tf.constant(boxes), "classes": tf.constant(classes)}


def trained(stage, labelled, steps, seed):
    generator = np.random.default_rng(seed)
    stage.set_up(steps_per_epoch=steps)
    batches = [scenes(generator, 8, labelled) for _ in range(8)]
    data = tf.data.Dataset.from_generator(
        lambda: iter(batches),
        output_signature={key: tf.TensorSpec(x.shape, x.dtype) for key, x in batches[0].items()},
    )
    stage.fit(data.repeat(), steps_per_epoch=steps, verbose=0)
    return stage


def precision(stage, label):
    """Average precision at overlap 0.5 of one class, on scenes of which only it is labelled."""
    test = scenes(np.random.default_rng(99), 16, {label})
    values = [
        stage.validation_values({name: part[n : n + 1] for name, part in test.items()}) for n in range(16)
    ]
    return stage.validation_metrics(values)["map_50"]


@pytest.mark.slow
def test_the_student_keeps_the_old_classes_better_with_a_teacher():
    """The new data shows objects of the old class without boxes, which teaches that they are nothing.

    Scores alone do not help here: the boxes of the old class are forgotten as well.
    """
    tf.keras.utils.set_random_seed(0)
    settings = {"image_size": SIZE, "batch": 8, "epochs": 1, "warmup_epochs": 0, "average_decay": 0.0}
    settings.update(optimizer="adamw", learning_rate=2e-3, schedule="constant")
    teacher = build_detector(TINY, ["square"])
    trained(DetectionStage(teacher, DetectionConfig(**settings)), {0}, 150, seed=1)
    student = extended(teacher, ["square", "bar"])
    by_scores, by_boxes = {"response_weight": 0.1}, {"response_weight": 0.1, "box_response_weight": 0.1}
    stages = {
        "alone": DetectionStage(copy_of(student), DetectionConfig(**settings)),
        "scores": DistillingStage(copy_of(student), DetectionConfig(**settings, **by_scores), teacher),
        "boxes": DistillingStage(copy_of(student), DetectionConfig(**settings, **by_boxes), teacher),
    }
    before = precision(stages["alone"], 0)
    for stage in stages.values():
        trained(stage, {1}, 100, seed=2)
    figures = {name: [precision(stage, label) for label in (0, 1)] for name, stage in stages.items()}
    print(before, figures)
    assert before > 0.8
    assert figures["boxes"][0] > max(figures["alone"][0], figures["scores"][0]) + 0.3
    assert figures["boxes"][1] > 0.5  # and learns the new one
