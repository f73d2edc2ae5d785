"""KerasCV's RetinaNet, saved by KerasCV with random weights, against KerasCV's own decoding."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from keras_cv.models import ResNetBackbone, RetinaNet
from keras_cv.src import bounding_box
from keras_cv.src.bounding_box.converters import _decode_deltas_to_boxes
from keras_cv.src.models.object_detection.retinanet.retinanet import BOX_VARIANCE
from keras_cv.src.utils.preset_utils import save_to_preset

from kind.detection import command, published
from kind.detection.predictor import Predictor, Thresholds, load_detector
from kind.detection.retinanet import anchor_boxes
from kind.detection.reuse import feature_network
from kind.errors import UserError
from kind.export.operations import OPERATIONS

IMAGE = tf.constant(np.random.default_rng(0).random((1, 64, 96, 3), np.float32))


@pytest.fixture(scope="module")
def whole_preset(tmp_path_factory):
    """A folder as KerasCV saves it, and what is in it."""
    backbone = ResNetBackbone(
        stackwise_filters=[4, 4, 4, 4],
        stackwise_blocks=[1, 1, 1, 1],
        stackwise_strides=[1, 2, 2, 2],
        include_rescaling=True,
    )
    preset = RetinaNet(backbone, 3, "xywh")
    generator = np.random.default_rng(0)
    for variable in preset.weights:  # statistics and all; the heads' last layers give scores around a half
        low, high = (0.5, 1.5) if "variance" in variable.name or "gamma" in variable.name else (-0.02, 0.02)
        variable.assign(generator.uniform(low, high, variable.shape))
    folder = tmp_path_factory.mktemp("retinanet")
    save_to_preset(preset, folder)
    return folder, preset


@pytest.fixture
def saved_preset(whole_preset, tmp_path):
    """A copy of that folder to change, and what is in it."""
    return shutil.copytree(whole_preset[0], tmp_path / "preset"), whole_preset[1]


def theirs(preset, images):
    """Boxes as KerasCV decodes them, and probabilities."""
    raw, shape = preset(images * 255), tuple(images.shape[1:])
    anchors = tf.concat(list(preset.anchor_generator(image_shape=shape).values()), axis=0)
    boxes = _decode_deltas_to_boxes(anchors, raw["box"], "xywh", "xywh", BOX_VARIANCE, image_shape=shape)
    boxes = bounding_box.convert_format(boxes, source="xywh", target="xyxy", image_shape=shape)
    return boxes, tf.sigmoid(raw["classification"])


@pytest.mark.filterwarnings("ignore::UserWarning")  # KerasCV asks Keras for what is deprecated
def test_a_saved_preset_finds_what_keras_cv_finds(saved_preset):
    folder, preset = saved_preset
    net = load_detector(folder)
    assert net.class_names == ("0", "1", "2") and net.canvas == 0
    found, (boxes, scores) = net(IMAGE), theirs(preset, IMAGE)
    np.testing.assert_allclose(found["corners"], boxes, rtol=1e-4, atol=1e-3)
    np.testing.assert_allclose(found["classes"], scores, rtol=1e-4, atol=1e-5)
    assert np.ptp(found["classes"]) > 1e-4
    predictions = Predictor(net, Thresholds(size=96, confidence=0.0, max_detections=5))
    assert predictions(IMAGE[0]).boxes.shape == (5, 4)
    operations = {one.type for one in predictions._find.get_concrete_function().graph.get_operations()}
    assert operations <= OPERATIONS
    with pytest.raises(UserError, match="a RetinaNet finds objects, and is not trained here; give a YOLOv8"):
        command._trainable(net, folder)
    with pytest.raises(
        UserError, match="features are those of YOLOv8 and YOLOX detectors; received a RetinaN"
    ):
        feature_network(net)


def test_anchors_of_any_size_are_the_generators():
    generator = RetinaNet.default_anchor_generator("xyxy")
    for height, width in ((64, 160), (32, 32), (288, 96)):
        expected = tf.concat(list(generator(image_shape=(height, width, 3)).values()), axis=0)
        np.testing.assert_allclose(anchor_boxes(tf.constant(height), tf.constant(width)), expected, atol=1e-3)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda settings: settings.update(num_classes=10**9), "expect whole numbers to 2048"),
        (lambda settings: settings.pop("num_classes"), "not a YOLOV8Detector preset: 'num_classes'"),
        (
            lambda settings: settings["backbone"].update(class_name="ViT"),
            "or a RetinaNet on a ResNetBackbone",
        ),
        (lambda settings: settings["backbone"].update(module="os"), "it asks for 'os.ResNetBackbone'"),
        (
            lambda settings: settings["backbone"]["config"].update(stackwise_filters=[2048] * 4),
            "numbers, more than its weights hold",
        ),
        (
            lambda settings: settings["label_encoder"]["config"]["anchor_generator"]["config"].update(
                sizes=[1]
            ),
            "as sizes of 'AnchorGenerator'",
        ),
        (lambda settings: settings["box_head"]["config"].update(num_conv_layers=4), "4 as num_conv_layers"),
        (lambda settings: settings["box_head"]["config"].update(evil=1), "with a setting 'evil'"),
        (
            lambda settings: settings["backbone"]["config"].update(stackwise_blocks=[1, 1, 1, 2]),
            "has no array",
        ),
    ],
)
def test_other_presets_are_refused_in_one_line(saved_preset, change, message):
    folder, _ = saved_preset
    config = json.loads((folder / "config.json").read_text())
    change(config["config"])
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError) as caught:
        load_detector(folder)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_damaged_weights_are_one_line(saved_preset):
    folder, _ = saved_preset
    (folder / "model.weights.h5").write_bytes(b"nothing" * 1000)
    with pytest.raises(UserError, match="preset: cannot be loaded as a preset: its weights cannot be read"):
        load_detector(folder)


def test_by_name(monkeypatch):
    def fail(name, bounding_box_format):
        raise OSError("no network")

    monkeypatch.setattr(RetinaNet, "from_preset", fail)
    with pytest.raises(UserError, match="retinanet_resnet50_pascalvoc: this preset cannot be downloaded"):
        load_detector("retinanet_resnet50_pascalvoc")
    with pytest.raises(
        UserError, match="a RetinaNet is not imported or trained here; use it with --detector"
    ):
        published.detector_from_preset("retinanet_resnet50_pascalvoc")
