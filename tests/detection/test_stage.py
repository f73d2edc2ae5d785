"""The detector's stage: what learns and what stands still, and what validation says."""

import numpy as np
import pytest
import tensorflow as tf

from kind.decom.model import decomposition_net
from kind.detection.canvas import on_grey
from kind.detection.config import DetectionConfig
from kind.detection.joint import detector_of, joint_net, parts_of
from kind.detection.model import build_detector
from kind.detection.sizes import Proportions
from kind.detection.stage import DetectionStage, backbone_and_head, preprocessing
from kind.enhancing.three_networks import KindEnhancer
from kind.illumination.model import adjustment_net
from kind.metrics.average_precision import average_precision
from kind.metrics.boxes import Objects, Predictions
from kind.nn.saving import load_net, save_net

TINY = Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1)
SIZE = 64


def copy_of(net):
    """A network of the same architecture with the same weights."""
    copy = net.__class__.from_config(net.get_config())
    copy.set_weights(net.get_weights())
    return copy


def config(**changes):
    settings = {"image_size": SIZE, "batch": 2, "epochs": 4, "warmup_epochs": 0, "average_decay": 0.0}
    return DetectionConfig(**{**settings, **changes})


def small_restoration():
    """In place of the real one, which is large."""
    parts = [tf.keras.Input((None, None, channels)) for channels in (3, 1)]
    joined = tf.keras.layers.Concatenate()(parts)
    restored = tf.keras.layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="restored")(joined)
    return tf.keras.Model(parts, restored, name="restoration_small")


@pytest.fixture(scope="module")
def sample():
    """Two dark canvases, of which one has an outside."""
    images = np.random.default_rng(0).uniform(0, 0.3, (2, SIZE, SIZE, 3)).astype(np.float32)
    images[1, 40:] = -1.0
    boxes = [[[5, 6, 40, 44], [30, 30, 60, 60]], [[8, 4, 60, 38], [0, 0, 0, 0]]]
    return {
        "image": tf.constant(images),
        "boxes": tf.constant(boxes, tf.float32),
        "classes": tf.constant([[0, 1], [1, -1]]),
    }


@pytest.fixture(scope="module")
def detector():
    tf.keras.utils.set_random_seed(0)
    return build_detector(TINY, ["a", "b"])


@pytest.fixture(scope="module")
def enhancer():
    tf.keras.utils.set_random_seed(1)
    return KindEnhancer(decomposition_net(), small_restoration(), adjustment_net())


def gradients(stage, sample):
    """The trained weights, each with its gradient of the total loss."""
    with tf.GradientTape() as tape:
        loss = stage.losses(sample, training=True)["loss"]
    variables = stage.net.trainable_variables
    return list(zip(variables, tape.gradient(loss, variables)))


def without_gradient(found):
    """Names of weights that learn nothing; boxes are learned on levels alone that have an object."""
    dead = {weight.name for weight, part in found if part is None or not np.abs(part).max() > 0}
    boxes = {name for name in dead if "_box_" in name}
    assert len(boxes) < sum("_box_" in weight.name for weight, _ in found)
    return dead - boxes


def test_two_halves_are_the_whole(detector, sample):
    lower, upper = backbone_and_head(detector)
    images = on_grey(sample["image"], sample["image"])
    outputs = upper(lower(images))
    for name, values in detector(images).items():
        assert np.array_equal(values, outputs[name])
    assert [outputs[level].shape[1:3] for level in ("p3", "p4", "p5")] == [(8, 8), (4, 4), (2, 2)]


def test_a_gradient_reaches_every_weight_of_the_detector(detector, sample):
    assert not without_gradient(gradients(DetectionStage(copy_of(detector), config()), sample))


def test_a_gradient_reaches_the_joint_networks_too(detector, enhancer, sample):
    """A detector behind networks that a stopped gradient hides looks trained and isn't."""
    net = joint_net(copy_of(enhancer.decom), copy_of(enhancer.restoration), copy_of(detector))
    stage = DetectionStage(net, config(joint=True))
    found = gradients(stage, sample)
    assert len(found) == sum(len(part.trainable_variables) for part in parts_of(net).values())
    assert not without_gradient(found)


def test_a_frozen_enhancer_is_no_part_of_what_is_trained(detector, enhancer, sample):
    stage = DetectionStage(copy_of(detector), config(), preprocessing("reflectance", enhancer))
    with tf.GradientTape() as tape:
        loss = stage.losses(sample, training=True)["loss"]
    assert all(part is None for part in tape.gradient(loss, enhancer.decom.trainable_variables))
    assert not {id(weight) for weight in stage.net.weights} & {
        id(weight) for weight in enhancer.decom.weights
    }


@pytest.mark.parametrize("kind", ["raw", "stretched", "relit", "reflectance"])
def test_what_is_seen_is_the_input_on_grey(kind, enhancer, sample):
    seen = preprocessing(kind, enhancer)(sample["image"]).numpy()
    assert seen.shape == sample["image"].shape and 0 <= seen.min() and seen.max() <= 1
    assert np.allclose(seen[1, 40:], 114 / 255)
    if kind == "stretched":
        dark = sample["image"].numpy()[1, :40]
        expected = (dark - dark.min()) / (dark.max() - dark.min())
        np.testing.assert_allclose(seen[1, :40], expected, atol=1e-5)


def test_the_joint_network_sees_what_the_frozen_one_sees(detector, enhancer, sample):
    net = joint_net(copy_of(enhancer.decom), copy_of(enhancer.restoration), copy_of(detector))
    stage = DetectionStage(net, config(joint=True))
    frozen = preprocessing("reflectance", enhancer)(sample["image"])
    np.testing.assert_allclose(stage.seen(sample["image"]), frozen, atol=1e-5)
    for name, values in net(sample["image"]).items():
        np.testing.assert_allclose(values, detector(frozen)[name], atol=1e-4)


@pytest.mark.slow
def test_the_joint_network_is_saved_with_its_parts(detector, enhancer, sample, tmp_path):
    net = joint_net(copy_of(enhancer.decom), copy_of(enhancer.restoration), copy_of(detector))
    save_net(net, tmp_path / "net.keras")
    loaded = load_net(tmp_path / "net.keras")
    for name, values in net(sample["image"]).items():
        assert np.array_equal(values, loaded(sample["image"])[name])
    assert set(parts_of(loaded)) == {"decom", "restoration", "detector"}
    assert detector_of(loaded).class_names == ("a", "b") and parts_of(detector) == {}


def test_a_still_backbone_has_no_gradient_and_keeps_its_statistics(detector, sample):
    net = copy_of(detector)
    stage = DetectionStage(net, config(freeze_epochs=1))
    stage.set_up(steps_per_epoch=2)
    backbone = {weight.ref() for weight in net.backbone.weights}
    statistics = [weight for weight in net.weights if "moving" in weight.name]
    before = [weight.numpy() for weight in statistics]
    for weight, part in gradients(stage, sample):
        assert (part is None) == (weight.ref() in backbone)
    for weight, value in zip(statistics, before):
        assert np.array_equal(weight, value) == (weight.ref() in backbone)
    stage.grouped_optimizer.steps.assign(2)  # the second epoch
    assert all(part is not None for _, part in gradients(stage, sample))


@pytest.mark.slow
def test_the_backbone_is_still_for_its_epochs_and_moves_afterwards(detector, sample):
    net = copy_of(detector)
    stage = DetectionStage(net, config(freeze_epochs=1, optimizer="adamw"))
    stage.set_up(steps_per_epoch=2)
    backbone = {weight.ref() for weight in net.backbone.weights}
    before = [weight.numpy() for weight in net.weights]

    def moved():
        return {
            (weight.ref() in backbone, "moving" in weight.name): True
            for weight, value in zip(net.weights, before)
            if not np.array_equal(weight, value)
        }

    step = tf.function(stage.train_step)
    step(sample), step(sample)
    assert set(moved()) == {(False, False), (False, True)}  # of the head weights and statistics
    step(sample)
    assert set(moved()) == {(inside, moving) for inside in (False, True) for moving in (False, True)}


def test_figures_are_coco_s(detector, sample):
    """Of what validation found, and not the mean over images."""
    stage = DetectionStage(copy_of(detector), config())
    found = [
        Predictions(np.float32([[5, 6, 40, 40]]), np.float32([0.9]), np.array([0])),
        Predictions(np.float32([[8, 4, 60, 38], [0, 0, 9, 9]]), np.float32([0.8, 0.95]), np.array([1, 0])),
    ]
    values, objects = [], []
    for number, predictions in enumerate(found):
        count, real = len(predictions.classes), sample["classes"][number] >= 0
        values.append(
            {
                "boxes": np.pad(predictions.boxes, [[0, 5 - count], [0, 0]])[None],
                "scores": np.pad(predictions.scores, [0, 5 - count])[None],
                "classes": np.pad(predictions.classes, [0, 5 - count])[None],
                "counts": np.array([count]),
                "object_boxes": sample["boxes"][number : number + 1],
                "object_classes": sample["classes"][number : number + 1],
                **{name: float(number) for name in stage.loss_names},
            }
        )
        objects.append(
            Objects(sample["boxes"][number][real].numpy(), sample["classes"][number][real].numpy())
        )
    expected = average_precision(objects, found, 2)
    figures = stage.validation_metrics(values)
    assert figures["map_50"] == pytest.approx(expected.mean_50) and 0 < expected.mean_50 < 1
    assert figures["map_50_95"] == pytest.approx(expected.mean)
    assert figures["loss"] == 0.5


def test_validation_says_what_was_found_and_pictures_show_it(detector, sample):
    stage = DetectionStage(copy_of(detector), config())
    one = {name: values[1:] for name, values in sample.items()}
    values = stage.validation_values(one)
    assert np.isfinite(values["loss"]) and values["boxes"].shape == (1, 100, 4)
    assert set(stage.validation_metrics([values])) == {*stage.loss_names, "map_50", "map_50_95"}
    pictures = stage.visualisations(one)
    assert [picture.shape for picture in pictures] == [(1, SIZE, SIZE, 3)] * 2
    purple = np.array([168, 72, 255]) / 255
    assert np.isclose(pictures[1][0], purple, atol=0.01).all(axis=-1).any()


def test_images_without_any_box_are_trained_and_measured(detector, sample):
    stage = DetectionStage(copy_of(detector), config())
    empty = {
        "image": sample["image"][:1],
        "boxes": tf.zeros([1, 0, 4]),
        "classes": tf.zeros([1, 0], tf.int32),
    }
    assert all(
        part is None or np.isfinite(part).all() for part in [part for _, part in gradients(stage, empty)]
    )
    assert np.isnan(stage.validation_metrics([stage.validation_values(empty)])["map_50"])
