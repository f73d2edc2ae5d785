"""Detectors from files, and what they find in single images."""

import numpy as np
import pytest
import tensorflow as tf

from kind.detection import predictor
from kind.detection.decoding import detect
from kind.detection.model import build_detector
from kind.detection.predictor import Predictor, Thresholds, load_detector
from kind.detection.sizes import Proportions
from kind.errors import UserError
from kind.nn.saving import save_net

NAMES = ("cat", "dog", "cow")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    tf.keras.utils.set_random_seed(3)
    path = tmp_path_factory.mktemp("detector") / "small.keras"
    save_net(build_detector(Proportions((16, 16, 16, 16), (1, 1, 1, 1), 1), NAMES), path)
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")  # KerasCV asks Keras for what is deprecated
def test_a_file_gives_the_detector_with_its_names(file):
    net = load_detector(file)
    assert net.class_names == NAMES
    thresholds = Thresholds(size=64, confidence=0.0, max_detections=7)
    find = Predictor(net, thresholds)
    for height, width in ((50, 64), (90, 41)):
        image = tf.constant(np.random.default_rng(height).random((height, width, 3), np.float32))
        found = find(image)
        expected = detect(net, image[None], size=64, confidence=0.0, max_detections=7)
        assert len(found.scores) == 7 and found.boxes.shape == (7, 4)
        np.testing.assert_allclose(found.boxes, expected.boxes[0], atol=1e-3)
        np.testing.assert_allclose(found.scores, expected.scores[0], atol=1e-6)
    assert find._find.experimental_get_tracing_count() == 1  # one graph for all sizes


def test_what_is_no_detector_is_named(file, tmp_path, monkeypatch):
    monkeypatch.setattr(predictor, "SHIPPED_DETECTOR", tmp_path / "none.keras")
    with pytest.raises(UserError, match="no detector ships with this installation: give --detector"):
        load_detector()
    with pytest.raises(UserError, match="none.keras: expected a .keras file or a run folder"):
        load_detector(tmp_path / "none.keras")
    other = tf.keras.Sequential([tf.keras.layers.Conv2D(1, 1, input_shape=(None, None, 3))], name="other")
    save_net(other, tmp_path / "other.keras")
    with pytest.raises(UserError, match="holds the network 'other'; expected a detector"):
        load_detector(tmp_path / "other.keras")
    joint = tf.keras.Sequential(other.layers, name="seeing_detector")
    save_net(joint, tmp_path / "best.keras")
    with pytest.raises(UserError, match="trained together; give detector.keras beside it"):
        load_detector(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"size": 100}, "image size expects a multiple of 32, received 100"),
        ({"size": 0}, "image size expects"),
        ({"confidence": 1.5}, "--confidence expects a number from 0 to 1, received 1.5"),
        ({"iou": float("nan")}, "--iou expects"),
        ({"max_detections": 0}, "--max-detections expects 1 or more"),
    ],
)
def test_thresholds_out_of_range_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        Thresholds(**settings)


def test_thousands_of_boxes_are_found_in_a_crowd(painted_detector):
    image = np.zeros((640, 640, 3), np.float32)
    corners = [(y, x) for y in range(0, 640, 16) for x in range(0, 640, 16)]
    for y, x in corners:
        image[y : y + 8, x : x + 8] = 0.9
    found = Predictor(painted_detector, Thresholds(size=640, max_detections=3000))(tf.constant(image))
    assert len(found.scores) == len(corners) == 1600
    assert set(found.classes.tolist()) == {1}
    assert len(Predictor(painted_detector, Thresholds(size=640))(tf.constant(image)).scores) == 300
