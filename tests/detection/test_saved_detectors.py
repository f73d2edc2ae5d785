"""Detectors' files: of earlier versions, by Keras alone, and with descriptions that are no detector's."""

import io
import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

from kind.decom.model import decomposition_net
from kind.detection.joint import NAME, detector_of, joint_net
from kind.detection.model import YoloV8, build_detector
from kind.detection.reuse import feature_network
from kind.detection.sizes import Proportions
from kind.errors import UserError
from kind.nn.saving import load_net, save_net
from kind.restoration.unet import unet

SIZES = {
    "yolov8": Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1),
    "yolox": Proportions((8, 8, 16, 16), (1, 1, 1, 1), 1, "yolox", True),
}


def rewritten(source, target, config=lambda text: text, weights=lambda file: None):
    """A copy of a network's file with another description or other arrays."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        buffer = io.BytesIO(old.read("model.weights.h5"))
        with h5py.File(buffer, "r+") as file:
            weights(file)
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("config.json", config(old.read("config.json").decode()))
        new.writestr("model.weights.h5", buffer.getvalue())
    return target


def assert_same(one, other):
    for before, after in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(before, after)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A detector's file of each architecture, and the detectors."""
    folder = tmp_path_factory.mktemp("detectors")
    nets = {name: build_detector(size, ["cat", "dog"]) for name, size in SIZES.items()}
    for name, net in nets.items():
        save_net(net, folder / f"{name}.keras")
    return folder, nets


@pytest.mark.parametrize("name", SIZES)
def test_a_detector_is_read_again(files, name):
    folder, nets = files
    loaded = load_net(folder / f"{name}.keras")
    assert type(loaded) is type(nets[name]) and loaded.class_names == ("cat", "dog")
    assert_same(loaded, nets[name])


@pytest.mark.parametrize("name", SIZES)
def test_what_was_read_is_written_and_read_again(files, tmp_path, name):
    """Alone, and out of a joint network: KerasCV's layers then describe themselves in other words."""
    folder, nets = files
    save_net(load_net(folder / f"{name}.keras"), tmp_path / "again.keras")
    assert_same(load_net(tmp_path / "again.keras"), nets[name])
    save_net(joint_net(decomposition_net(), unet(), nets[name]), tmp_path / "joint.keras")
    save_net(detector_of(load_net(tmp_path / "joint.keras")), tmp_path / "part.keras")
    assert_same(load_net(tmp_path / "part.keras"), nets[name])


def test_a_feature_network_is_read_again(files, tmp_path):
    net = feature_network(files[1]["yolox"])
    save_net(net, tmp_path / "features.keras")
    assert_same(load_net(tmp_path / "features.keras"), net)


def test_detectors_of_earlier_versions_are_read(files, tmp_path):
    folder, nets = files

    def older(text):
        config = json.loads(text)
        config.update(module="detection.model", class_name="Detector", registered_name="detection>Detector")
        del config["config"]["canvas"]
        return json.dumps(config)

    loaded = load_net(rewritten(folder / "yolov8.keras", tmp_path / "old.keras", older))
    assert isinstance(loaded, YoloV8)
    assert_same(loaded, nets["yolov8"])


@pytest.mark.slow
def test_joint_networks_of_this_and_earlier_versions_are_read(files, tmp_path):
    net = joint_net(decomposition_net(), unet(), files[1]["yolov8"])
    save_net(net, tmp_path / "joint.keras")
    assert_same(load_net(tmp_path / "joint.keras"), net)

    def older(text):
        for now, before in (
            ('"module": "kind.detection.', '"module": "detection.'),
            ('"class_name": "YoloV8"', '"class_name": "Detector"'),
            ("detection>YoloV8", "detection>Detector"),
            ("kind.nn.layers", "kind.layers"),
            ('"kind.nn.network"', '"keras.src.engine.functional"'),
            ('"Network"', '"Functional"'),
            ("kind>Network", "Functional"),
        ):
            assert now in text
            text = text.replace(now, before)
        return text

    path = rewritten(
        tmp_path / "joint.keras",
        tmp_path / "old.keras",
        older,
        lambda file: file.move("layers/yolo_v8", "layers/detector"),
    )
    loaded = load_net(path)
    assert loaded.name == NAME and detector_of(loaded).class_names == ("cat", "dog")
    assert_same(loaded, net)


@pytest.mark.slow
def test_keras_alone_opens_detectors_after_the_package(files, tmp_path):
    program = (
        "import sys, kind, numpy; from tensorflow import keras\n"
        "for path in sys.argv[2:]:\n"
        "    weights = keras.models.load_model(path, compile=False).get_weights()\n"
        "    numpy.savez(sys.argv[1] + '/' + path.rpartition('/')[2], *weights)\n"
    )
    folder, nets = files
    paths = [str(folder / f"{name}.keras") for name in nets]
    subprocess.run([sys.executable, "-c", program, str(tmp_path), *paths], check=True)
    for name, net in nets.items():
        for before, after in zip(
            net.get_weights(), np.load(tmp_path / f"{name}.keras.npz").values(), strict=True
        ):
            assert np.array_equal(before, after)


@pytest.mark.parametrize(
    "change",
    [
        lambda settings: settings.update(fpn_depth=10**9),
        lambda settings: settings.update(downsample_depth=0),
        lambda settings: settings.update(class_channels=0),
        lambda settings: settings.update(input_size="640"),
        lambda settings: settings.update(class_names=["a\n\x1b[31mred"]),
        lambda settings: settings.update(class_names=[]),
        lambda settings: settings.update(class_names=["x"] * 20_000),
        lambda settings: settings.update(canvas=float("nan")),
        lambda settings: settings.update(backbone=[settings["backbone"]]),
        lambda settings: settings["backbone"].update(class_name="CSPDarkNet"),
        lambda settings: settings["backbone"].update(registered_name="TFOpLambda"),
        lambda settings: settings["backbone"]["config"].update(stackwise_depth=[1, 1, 1, 10**6]),
        lambda settings: settings["backbone"]["config"].update(stackwise_channels=[8, 8, 16]),
        lambda settings: settings["backbone"]["config"].update(input_tensor=[1]),
    ],
)
def test_descriptions_of_no_detector_are_refused(files, tmp_path, change):
    def alter(text):
        config = json.loads(text)
        change(config["config"])
        return json.dumps(config)

    path = rewritten(files[0] / "yolov8.keras", tmp_path / "net.keras", alter)
    with pytest.raises(UserError, match="refused") as caught:
        load_net(path)
    assert str(caught.value).isprintable()
