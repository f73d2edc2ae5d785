"""YOLOX as a model: its graph, its boxes, its features, and that it learns."""

import numpy as np
import pytest
import tensorflow as tf
from keras_cv.models import CSPDarkNetBackbone

from kind.detection.darknet import CSPDarkNet
from kind.detection.decoding import decode_boxes, detect
from kind.detection.loss import detection_loss
from kind.detection.model import build_detector, proportions_of
from kind.detection.normalisation import measure_statistics
from kind.detection.reuse import feature_network, with_classes
from kind.detection.sizes import SIZES, Proportions
from kind.detection.stage import backbone_and_head
from kind.nn.saving import load_net, save_net

TINY = Proportions((8, 16, 16, 32), (1, 1, 1, 1), 1, "yolox", True, 96)


@pytest.fixture(scope="module")
def net():
    """A small detector whose weights, the normalisations' too, are random."""
    net = build_detector(TINY, ["cat", "dog", "face"])
    generator = np.random.default_rng(0)
    net.set_weights([generator.uniform(0.01, 0.2, weight.shape) for weight in net.weights])
    return net


@pytest.fixture(scope="module")
def images():
    return tf.constant(np.random.default_rng(1).random((2, 64, 96, 3), np.float32))


def test_it_stands_on_keras_cvs_backbone_and_takes_any_size(net):
    assert isinstance(net.backbone, CSPDarkNetBackbone)
    graph = tf.function(net, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for height, width in ((64, 96), (32, 32)):
        raw = graph(tf.zeros([1, height, width, 3]))
        anchors = height * width * 21 // 1024
        assert raw["boxes"].shape == (1, anchors, 4) and raw["classes"].shape == (1, anchors, 3)


def test_the_backbone_has_keras_cvs_weights():
    size = SIZES["yolox-nano"]
    settings = {"use_depthwise": True, "include_rescaling": False}
    ours = CSPDarkNet(stackwise_channels=[*size.channels], stackwise_depth=[*size.depths], **settings)
    theirs = CSPDarkNetBackbone(
        stackwise_channels=[32, 64, 128, 256], stackwise_depth=[1, 3, 3, 1], **settings
    )
    shapes = [sorted(tuple(weight.shape) for weight in backbone.weights) for backbone in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_saved_and_loaded_it_is_the_same(net, images, tmp_path):
    save_net(net, tmp_path / "net.keras")
    loaded = load_net(tmp_path / "net.keras")
    assert type(loaded) is type(net) and loaded.class_names == ("cat", "dog", "face")
    assert proportions_of(loaded) == TINY and loaded.canvas == net.canvas
    for name, values in net(images).items():
        assert np.array_equal(values, loaded(images)[name])


def test_boxes_are_centre_and_size_from_the_cells_corner():
    generator = np.random.default_rng(2)
    raw = generator.normal(0, 1, (1, 2 * 21, 4)).astype(np.float32)  # 32 by 64 pixels
    found, row = decode_boxes(tf.constant(raw), 32, 64)[0].numpy(), 0
    for stride in (8, 16, 32):
        for y in range(32 // stride):
            for x in range(64 // stride):
                dx, dy, width, height = raw[0, row].astype(float)
                centre, half = ((x + dx) * stride, (y + dy) * stride), np.exp([width, height]) * stride / 2
                np.testing.assert_allclose(
                    found[row], [*(centre - half), *(centre + half)], rtol=1e-5, atol=1e-4
                )
                row += 1
    assert row == len(found)
    assert np.isfinite(decode_boxes(tf.fill([1, 42, 4], 1e4), 32, 64)).all()
    with pytest.raises(ValueError, match="expects 4 or 64 channels; received 5"):
        decode_boxes(tf.zeros([1, 42, 5]), 32, 64)


def test_it_is_found_with_at_its_own_size_on_its_own_canvas(net, monkeypatch):
    seen = []
    monkeypatch.setattr(net, "canvas", 0.25)

    def spy(images, training):
        seen.append(images)
        return net(images, training=training)

    spy.canvas = net.canvas
    detect(spy, tf.ones([1, 60, 40, 3]), size=64, confidence=0.0)
    assert seen[0].shape == (1, 64, 64, 3)
    assert np.unique(seen[0][:, :, 43:]).tolist() == [0.25]


def test_two_halves_are_the_whole(net, images):
    lower, upper = backbone_and_head(net)
    outputs = upper(lower(images))
    for name, values in net(images).items():
        assert np.array_equal(values, outputs[name])
    assert [outputs[level].shape[1:3] for level in ("p3", "p4", "p5")] == [(8, 12), (4, 6), (2, 3)]


def test_other_classes_keep_the_rest(net, images):
    other = with_classes(net, ["car"])
    assert other.class_names == ("car",) and other.input_size == 96
    assert np.array_equal(other(images)["boxes"], net(images)["boxes"])


def test_features_are_the_backbones_and_frozen(net, images):
    frozen = feature_network(net)
    before = [weight.numpy() for weight in net.weights]
    features = frozen(images, training=True)
    assert [part.shape[1:] for part in features] == [
        (32, 48, 4),
        (16, 24, 8),
        (8, 12, 16),
        (4, 6, 16),
        (2, 3, 32),
    ]
    np.testing.assert_allclose(features[-1], net.backbone(images, training=False), rtol=1e-5)
    assert not frozen.trainable_weights and net.trainable_weights
    assert all(np.array_equal(old, weight) for old, weight in zip(before, net.weights))
    image = tf.Variable(images)
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_mean(part) for part in frozen(image)])
    gradient = tape.gradient(loss, image).numpy()
    assert np.isfinite(gradient).all() and (np.abs(gradient).max(axis=-1) > 0).mean() > 0.99


def test_measured_statistics_change_training_and_not_inference(images):
    net = build_detector(TINY, ["a"])
    generator = np.random.default_rng(3)
    net.set_weights([weight + generator.normal(0, 0.1, weight.shape) ** 2 for weight in net.get_weights()])
    before = net(images, training=False)
    measure_statistics(net, [images])
    for name, values in net(images, training=False).items():
        np.testing.assert_allclose(values, before[name], rtol=1e-3, atol=1e-4)
    for name, values in net(images, training=True).items():
        np.testing.assert_allclose(values, before[name], rtol=0.05, atol=0.02)


@pytest.mark.slow
def test_a_gradient_reaches_every_weight_and_the_loss_falls():
    tf.keras.utils.set_random_seed(0)
    net = build_detector(TINY, ["a", "b"])
    images = tf.constant(np.random.default_rng(4).random((2, 64, 64, 3), np.float32))
    boxes = tf.constant(
        [[[4.0, 6.0, 40.0, 50.0], [2.0, 2.0, 12.0, 12.0]], [[0.0, 0.0, 60.0, 62.0], [0.0] * 4]]
    )
    classes = tf.constant([[0, 1], [1, -1]])
    optimizer = tf.keras.optimizers.Adam(3e-3)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            terms = detection_loss(net(images, training=True), boxes, classes, 64)
        gradients = tape.gradient(terms["loss"], net.trainable_variables)
        optimizer.apply_gradients(zip(gradients, net.trainable_variables))
        return terms, gradients

    optimizer.build(net.trainable_variables)
    first, gradients = step()
    assert all(part is not None and np.isfinite(part).all() for part in gradients)
    for _ in range(50):
        last, _ = step()
    assert float(first["distribution"]) == 0.0 == float(last["distribution"])
    assert last["loss"] < 0.7 * first["loss"] and last["box"] < first["box"]
    without = detection_loss(net(images, training=True), tf.zeros([2, 0, 4]), tf.zeros([2, 0], tf.int32), 64)
    assert np.isfinite(without["loss"]) and without["box"] == 0


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="architecture expects one of yolov8, yolox; received 'ssd'"):
        build_detector(TINY._replace(architecture="ssd"), ["a"])
