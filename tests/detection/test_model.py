"""The detector as a model: its form, saving and loading, and KerasCV's traps."""

import numpy as np
import pytest
import tensorflow as tf
from keras_cv.models import YOLOV8Backbone, YOLOV8Detector
from tensorflow import keras

from kind.detection.model import BOX_FORMAT, build_detector, proportions_of
from kind.detection.reuse import with_classes
from kind.detection.sizes import SIZES, Proportions
from kind.errors import UserError
from kind.nn.file_schema import MOST_CLASSES
from kind.nn.saving import load_net, save_net

TINY = Proportions((16, 16, 32, 32), (1, 2, 1, 1), 2)


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


def test_it_is_a_detector_of_keras_cv_for_images_of_any_size(net):
    assert isinstance(net, YOLOV8Detector)
    graph = tf.function(net, input_signature=[tf.TensorSpec([None, None, None, 3])])
    for height, width in ((64, 96), (32, 32), (160, 32)):
        raw = graph(tf.zeros([1, height, width, 3]))
        anchors = height * width * 21 // 1024
        assert raw["boxes"].shape == (1, anchors, 64) and raw["classes"].shape == (1, anchors, 3)


def test_scores_are_probabilities(net, images):
    scores = net(images)["classes"].numpy()
    assert 0 <= scores.min() and scores.max() <= 1  # the assigner of training takes no logits


def test_saved_and_loaded_it_is_the_same(net, images, tmp_path):
    save_net(net, tmp_path / "net.keras")
    loaded = load_net(tmp_path / "net.keras")
    assert type(loaded) is type(net)
    assert loaded.class_names == ("cat", "dog", "face")
    assert proportions_of(loaded) == TINY and loaded.class_channels == net.class_channels
    for name, values in net(images).items():
        assert np.array_equal(values, loaded(images)[name])


def test_keras_cvs_own_detector_is_loaded_too(images, tmp_path):
    backbone = YOLOV8Backbone([16, 16, 32, 32], [1, 1, 1, 1], include_rescaling=False)
    plain = YOLOV8Detector(backbone, 2, "xyxy", fpn_depth=1)
    save_net(plain, tmp_path / "net.keras")
    loaded = load_net(tmp_path / "net.keras")
    for name, values in plain(images).items():
        assert np.array_equal(values, loaded(images)[name])


def test_a_new_detector_finds_next_to_nothing(images):
    scores = build_detector(TINY, ["face"])(images)["classes"].numpy()
    assert 0 < scores.mean() < 0.02


def test_other_classes_keep_the_rest(net, images):
    other = with_classes(net, ["car"])
    assert other.class_names == ("car",) and net.class_names == ("cat", "dog", "face")
    assert np.array_equal(other(images)["boxes"], net(images)["boxes"])
    assert other(images)["classes"].shape[-1] == 1


def test_the_backbone_can_be_frozen(net):
    other = with_classes(net, ["car"])
    everything = len(other.trainable_weights)
    other.backbone.trainable = False
    frozen = {id(weight) for weight in other.backbone.weights}
    assert 0 < len(other.trainable_weights) < everything
    assert not frozen & {id(weight) for weight in other.trainable_weights}


def test_a_batch_without_any_box_has_a_finite_loss_and_gradient(net):
    other = with_classes(net, ["car"])
    other.compile(box_loss="ciou", classification_loss="binary_crossentropy", optimizer="sgd")
    images = tf.zeros([2, 64, 64, 3])
    for boxes, classes in (
        (tf.zeros([2, 0, 4]), tf.zeros([2, 0])),
        (tf.fill([2, 3, 4], -1.0), tf.fill([2, 3], -1.0)),
    ):
        with tf.GradientTape() as tape:
            raw = other(images, training=True)
            loss = other.compute_loss(images, {"boxes": boxes, "classes": classes}, raw)
        assert np.isfinite(loss.numpy()) and loss.numpy() > 0
        gradients = [part for part in tape.gradient(loss, other.trainable_weights) if part is not None]
        assert gradients and all(np.isfinite(part).all() for part in gradients)


def test_in_mixed_precision_outputs_are_float32(images):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        raw = build_detector(TINY, ["face"])(images)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    assert {values.dtype for values in raw.values()} == {tf.float32}


def test_keras_cvs_decoding_is_not_used(net, images):
    assert net.bounding_box_format == BOX_FORMAT
    assert net.predict(images, verbose=0)["boxes"].shape == (2, 126, 64)  # raw, as from a call
    with pytest.raises(NotImplementedError, match="detection.decoding"):
        net.decode_predictions(net(images), images)


def test_mistakes_are_named():
    assert set("nsmlx") < set(SIZES)
    with pytest.raises(ValueError, match="one of n, s, m, l, x, yolox-nano, .*; received 'xs'"):
        build_detector("xs", ["face"])
    with pytest.raises(ValueError, match="at least one class"):
        build_detector("n", [])


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["cat", "two\nlines"], r"class 1 is called 'two\\nlines'; expected one line of 1 to 200 characters"),
        ([""], "class 0 is called ''"),
        (["n" * 201], "class 0 is called 'nnn"),
        (["cat"] * (MOST_CLASSES + 1), "16,385 classes; a detector has 16,384 at most"),
    ],
)
def test_class_names_that_a_file_cannot_hold_are_refused_before_training(names, reason):
    with pytest.raises(UserError, match=reason):
        build_detector("n", names)
