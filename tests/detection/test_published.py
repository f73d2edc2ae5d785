"""KerasCV's presets; without a network, so that what would be downloaded is made here."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from keras_cv.models import YOLOV8Backbone, YOLOV8Detector
from keras_cv.src.utils.preset_utils import save_to_preset

from kind.data.annotations.class_names import PASCAL_VOC
from kind.detection import published
from kind.detection.model import size_name
from kind.detection.predictor import load_detector
from kind.detection.reuse import with_classes
from kind.detection.sizes import SIZES
from kind.errors import UserError
from kind.nn.saving import save_net

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


@pytest.mark.parametrize("depth", [1, 2, 3])  # KerasCV's downsampling blocks have depth 2 in all
def test_a_detectors_outputs_stay(monkeypatch, small_sizes, depth):
    backbone = YOLOV8Backbone([16, 16, 32, 32], [1, 1, 1, 1], include_rescaling=True)
    preset = randomised(YOLOV8Detector(backbone, 20, "xyxy", fpn_depth=depth))
    monkeypatch.setattr(YOLOV8Detector, "from_preset", lambda name, bounding_box_format: preset)
    net = published.detector_from_preset("yolo_v8_m_pascalvoc")
    assert net.class_names == PASCAL_VOC
    for name, values in preset(IMAGE * 255).items():
        np.testing.assert_allclose(net(IMAGE)[name], values, rtol=1e-4, atol=1e-5)
    assert np.array_equal(with_classes(net, ["face"])(IMAGE)["boxes"], net(IMAGE)["boxes"])


@pytest.mark.filterwarnings("ignore::UserWarning")  # saving in HDF5, KerasCV's choice
@pytest.mark.parametrize("depth", [1, 3])
def test_a_saved_preset_of_another_depth_is_a_detector_that_can_be_saved(tmp_path, depth):
    backbone = YOLOV8Backbone(
        stackwise_channels=[16, 16, 32, 32], stackwise_depth=[1, 1, 1, 1], include_rescaling=True
    )
    preset = randomised(YOLOV8Detector(backbone, 3, "xyxy", fpn_depth=depth))
    save_to_preset(preset, tmp_path / "preset")
    net = load_detector(tmp_path / "preset")
    save_net(net, tmp_path / "net.keras")
    loaded = load_detector(tmp_path / "net.keras")
    assert (loaded.fpn_depth, loaded.downsample_depth) == (depth, 2)
    assert size_name(loaded) == "YOLOv8 of its own size"
    for name, values in preset(IMAGE * 255).items():
        np.testing.assert_allclose(loaded(IMAGE)[name], values, rtol=1e-4, atol=1e-5)


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


@pytest.fixture(scope="module")
def whole_preset(tmp_path_factory):
    """A folder as KerasCV saves its presets, and what is in it."""
    backbone = YOLOV8Backbone(
        stackwise_channels=[16, 16, 32, 32], stackwise_depth=[1, 1, 1, 1], include_rescaling=True
    )
    preset = randomised(YOLOV8Detector(backbone, 20, "xyxy", fpn_depth=2))
    folder = tmp_path_factory.mktemp("preset")
    save_to_preset(preset, folder)
    return folder, preset


@pytest.fixture
def saved_preset(whole_preset, tmp_path, small_sizes):
    """A copy of that folder to change, and what is in it."""
    folder, preset = whole_preset
    return shutil.copytree(folder, tmp_path / "preset"), preset


@pytest.mark.filterwarnings("ignore::UserWarning")  # saving in HDF5, KerasCV's choice
def test_a_saved_preset_is_a_detector(saved_preset):
    folder, preset = saved_preset
    net = load_detector(folder)
    assert net.class_names == PASCAL_VOC
    for name, values in preset(IMAGE * 255).items():
        np.testing.assert_allclose(net(IMAGE)[name], values, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda config: config.update(class_name="RetinaNet"), "expected a YOLOV8Detector with weights"),
        (lambda config: config["config"].update(num_classes=10**9), "expect whole numbers to 2048"),
        (lambda config: config["config"].pop("backbone"), "not a YOLOV8Detector preset: 'backbone'"),
        (
            lambda config: config["config"].update(
                evil={"class_name": "Popen", "module": "subprocess", "registered_name": None, "config": {}}
            ),
            "it asks for 'subprocess.Popen'",
        ),
        (lambda config: config.update(weights="../other.h5"), "expected a YOLOV8Detector with weights"),
    ],
)
def test_other_presets_are_refused(saved_preset, change, message):
    folder, _ = saved_preset
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError) as caught:
        load_detector(folder)
    assert message in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_damaged_weights_are_one_line(saved_preset):
    folder, _ = saved_preset
    (folder / "model.weights.h5").write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be loaded as a preset") as caught:
        load_detector(folder)
    assert "\n" not in str(caught.value)


def test_a_presets_name_goes_where_a_file_goes(monkeypatch):
    def fail(name, bounding_box_format):
        raise OSError("no network")

    monkeypatch.setattr(YOLOV8Detector, "from_preset", fail)
    with pytest.raises(UserError, match="yolo_v8_m_pascalvoc: this preset cannot be downloaded"):
        load_detector("yolo_v8_m_pascalvoc")
