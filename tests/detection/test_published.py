"""KerasCV's presets; without a network, so that what would be downloaded is made here."""

import numpy as np
import pytest
import tensorflow as tf
from keras_cv.models import YOLOV8Backbone, YOLOV8Detector

from kind.data.annotations.class_names import PASCAL_VOC
from kind.detection import published
from kind.detection.model import SIZES
from kind.errors import UserError

IMAGE = tf.constant(np.random.default_rng(0).random((1, 64, 64, 3), np.float32))


def randomised(net):
    generator = np.random.default_rng(0)
    net.set_weights([generator.uniform(0.01, 0.1, weight.shape) for weight in net.weights])
    return net


@pytest.fixture
def small_sizes(monkeypatch):
    """Size m as small as it gets, so that tests are quick."""
    monkeypatch.setitem(
        published.SIZES, "m", SIZES["m"]._replace(channels=(16, 16, 32, 32), depths=(1, 1, 1, 1))
    )


def test_a_backbones_weights_arrive_and_its_range_is_ours(monkeypatch, small_sizes):
    preset = randomised(YOLOV8Backbone([16, 16, 32, 32], [1, 1, 1, 1], include_rescaling=True))
    monkeypatch.setattr(YOLOV8Backbone, "from_preset", lambda name: preset)
    net = published.detector_from_preset("yolo_v8_m_backbone_coco", ["face"])
    assert net.class_names == ("face",) and net.fpn_depth == 2
    np.testing.assert_allclose(net.backbone(IMAGE), preset(IMAGE * 255), rtol=1e-4)


def test_a_detectors_outputs_stay(monkeypatch, small_sizes):
    backbone = YOLOV8Backbone([16, 16, 32, 32], [1, 1, 1, 1], include_rescaling=True)
    preset = randomised(YOLOV8Detector(backbone, 20, "xyxy", fpn_depth=2))
    monkeypatch.setattr(YOLOV8Detector, "from_preset", lambda name, bounding_box_format: preset)
    net = published.detector_from_preset("yolo_v8_m_pascalvoc")
    assert net.class_names == PASCAL_VOC
    for name, values in preset(IMAGE * 255).items():
        np.testing.assert_allclose(net(IMAGE)[name], values, rtol=1e-4, atol=1e-5)


def test_without_a_network_there_is_one_line(monkeypatch):
    def fail(name):
        raise OSError("Temporary failure\nin name resolution")

    monkeypatch.setattr(YOLOV8Backbone, "from_preset", fail)
    with pytest.raises(UserError) as caught:
        published.detector_from_preset("yolo_v8_s_backbone", ["face"])
    message = str(caught.value)
    assert "yolo_v8_s_backbone: this preset cannot be downloaded: check the network" in message
    assert "Temporary failure in name resolution" in message and "\n" not in message


def test_unknown_presets_and_missing_classes_are_named():
    with pytest.raises(
        UserError, match="'yolo_v9': no such KerasCV preset; expected one of yolo_v8_l_backbone"
    ):
        published.detector_from_preset("yolo_v9", ["face"])
    with pytest.raises(UserError, match="is a backbone without classes: give --classes"):
        published.detector_from_preset("yolo_v8_s_backbone")
