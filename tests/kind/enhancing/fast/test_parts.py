import json

import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing import precision
from kind.enhancing.fast import installed, loading
from kind.enhancing.fast.exposure_branch import seen_contrast
from kind.enhancing.fast.given import given_images
from kind.enhancing.fast.network_files import LAYERS, digest_of, read_network
from kind.enhancing.fast.soft_histogram import soft_histogram
from kind.errors import UserError
from kind.images.area import area_resized_array
from kind.nn import exposure_layers
from kind.nn.archive import CONFIG, Archive
from kind.nn.forms import SHIPPED_WEIGHTS
from kind.ops.light import expose


@pytest.fixture(scope="module")
def image():
    return np.random.default_rng(0).random((37, 61, 3), np.float32) ** 2


@pytest.mark.parametrize("network", LAYERS)
def test_layers_stand_in_the_order_of_the_network(network):
    with Archive(SHIPPED_WEIGHTS / f"{network}.keras") as archive:
        layers = json.loads(archive.read(CONFIG))["config"]["layers"]
    classes = {
        "Conv2D": "conv2d",
        "Conv2DTranspose": "conv2d_transpose",
        "Dense": "dense",
        "DepthwiseConv2D": "depthwise_conv2d",
    }
    found = {kind: [] for kind in LAYERS[network]}
    for layer in layers:
        if layer["class_name"] in classes:
            found[classes[layer["class_name"]]].append(layer["name"])
    assert found == {kind: list(names) for kind, names in LAYERS[network].items()}


def test_a_file_of_another_network_is_refused():
    with pytest.raises(UserError, match="decom.keras"):
        read_network(SHIPPED_WEIGHTS / "decom.keras", "lite")


def test_digest_follows_the_values():
    weights = {"stem": (np.zeros(3, np.float32), np.ones(2, np.float32))}
    other = {"stem": (np.zeros(3, np.float32), np.full(2, 1.5, np.float32))}
    assert digest_of(weights) == digest_of(dict(weights)) != digest_of(other)


def test_missing_engine_is_one_line(monkeypatch):
    monkeypatch.setattr(installed.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'kind\[fast\]'"):
        loading.load_fast()
    assert not loading.is_fastest(None, None, "plain")


def test_old_python_is_one_line(monkeypatch):
    monkeypatch.setattr(installed.sys, "version_info", (3, 9, 1))
    with pytest.raises(UserError, match="needs Python 3.10"):
        loading.load_fast()


def test_other_variants_are_refused():
    with pytest.raises(UserError, match="for the variants lite and kind, not guided"):
        loading.load_fast(variant="guided")


@pytest.mark.parametrize(
    "flags, fast",
    [("flags : sse avx512_vnni", True), ("flags : avx2", False), ("flags : avx512_vnni avx512_bf16", True)],
)
def test_auto_needs_the_instructions(monkeypatch, tmp_path, flags, fast):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\n{flags}\n")
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(installed, "check_engine", lambda: None)
    assert loading.is_fastest(None, "lite", "plain") == fast
    assert loading.is_fastest(None, "kind", "plain") == fast
    assert not loading.is_fastest(None, "guided", "plain")
    assert not loading.is_fastest(None, "lite", "published")
    assert not loading.is_fastest(tmp_path, "lite", "plain")


@pytest.mark.parametrize(
    "images, reason",
    [
        (np.zeros((4, 4)), "received float64"),
        (np.full((4, 4, 3), 2.0), "divide levels"),
        (np.zeros((0, 4, 3)), "received none"),
        (np.full((4, 4, 3), np.nan), "values from nan"),
    ],
)
def test_wrong_images_are_refused(images, reason):
    with pytest.raises(UserError, match=reason):
        given_images(images)


def test_given_images_stay_levels(image):
    levels = (255 * image).astype(np.uint8)
    assert given_images(levels) is levels
    assert given_images([levels, levels]).shape == (2, 37, 61, 3)
    assert [each.shape for each in given_images([levels, levels[1:]])] == [(37, 61, 3), (36, 61, 3)]


def test_histogram(image):
    expected = exposure_layers.SoftHistogram(24)(image[np.newaxis])[0]
    np.testing.assert_allclose(soft_histogram(image, 24), expected, atol=1e-5)


class TestExposure:
    exposure = None

    @pytest.fixture(autouse=True)
    def _engine(self):
        pytest.importorskip("openvino", reason="the extra fast is not installed")
        from kind.enhancing.fast import exposure_branch

        self.exposure = exposure_branch

    def test_spline(self):
        expected = exposure_layers._spline(8, 16, tf.constant([5.0]), tf.constant([50.0]))[0]
        np.testing.assert_allclose(self.exposure.spline(5, 8, 50), expected, atol=1e-5)

    def test_exposed(self, image):
        found = self.exposure._exposed(image, 2.5)
        np.testing.assert_allclose(found, expose(image, tf.constant(2.5)), atol=1e-5)

    def test_mean_stops(self, image):
        thumbnail = area_resized_array(image, 128, 128)
        grid = np.random.default_rng(1).normal(1, 1, (16, 16, 8)).astype(np.float32)
        place = tf.constant([[0.0, 0.0, 128.0, 128.0]])
        stops = exposure_layers.SlicedStops()([thumbnail[np.newaxis], grid[np.newaxis], place])
        expected = exposure_layers.MeanStops()([thumbnail[np.newaxis], stops])
        assert self.exposure._mean_stops(thumbnail, grid) == pytest.approx(expected.numpy().item(), abs=1e-4)

    def test_slicing(self):
        """Of a grid whose planes hold their own numbers, the slice is the guide's position."""
        import openvino
        from openvino import opset13 as op

        from kind.enhancing.fast import slicing
        from kind.enhancing.fast.engine import CORE

        grey = np.linspace(0, 1, 200, dtype=np.float32)
        grid = np.broadcast_to(np.arange(8, dtype=np.float32), (1, 16, 16, 8))
        place = tf.constant([[0.0, 0.0, 1.0, 1.0]])
        images = np.broadcast_to(grey[:, np.newaxis, np.newaxis, np.newaxis], (200, 1, 1, 3))
        expected = [exposure_layers.SlicedStops()([image[np.newaxis], grid, place]) for image in images]
        luma = op.parameter([200], np.float32)
        model = openvino.Model([slicing.stops_of(slicing.guide_position(luma))], [luma], "stops")
        (found,) = CORE.compile_model(model, "CPU")([grey]).values()
        np.testing.assert_allclose(found, np.ravel(expected), atol=1e-4)


class TestCalibration:
    calibration = None

    @pytest.fixture(autouse=True)
    def _engine(self):
        pytest.importorskip("openvino", reason="the extra fast is not installed")
        from kind.enhancing.fast import calibration

        self.calibration = calibration

    def test_extremes_are_of_all_images_and_channels(self, monkeypatch):
        monkeypatch.setattr(self.calibration, "_CUT_OFF", 0.0)
        values = np.arange(32, dtype=np.float32).reshape(1, 2, 4, 4)
        found = self.calibration.measured(lambda image, factor: {"a": image * factor}, [values, -values])
        # The outermost of 16 values is always cut off.
        np.testing.assert_allclose(found["a"], [[-56, -120], [56, 120]])

    def test_ranges_hold_the_extremes(self):
        ends = np.float32([[-1.0, 0.0, -0.2], [2.0, 0.5, 4.0]])
        scales, low = self.calibration.ranges({"a": ends})["a"]
        assert (scales >= ends[1]).all() and (low * scales <= ends[0]).all() and -1 <= low <= 0

    def test_a_given_low_is_that_of_all(self):
        ends = {"a": np.float32([[-1.0, 0.0], [2.0, 0.5]]), "b": np.float32([[0.0], [1.0]])}
        found = self.calibration.ranges(ends, lows=(0.4,))
        assert {by.low for by in found.values()} == {-0.4}
        assert (found["a"].scales >= np.float32([2.4999, 0.4999])).all()

    def test_file_belongs_to_its_weights(self, tmp_path):
        path, ends = tmp_path / "ranges.json", np.float32([[-1, 0], [2, 0.5]])
        self.calibration.write_extremes(path, "abc", {"a": ends})
        np.testing.assert_array_equal(self.calibration.read_extremes(path, "abc")["a"], ends)
        assert self.calibration.read_extremes(path, "other") is None
        assert self.calibration.read_extremes(tmp_path / "none", "abc") is None

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            '{"weights": "abc"}',
            '{"weights": "abc", "layers": {}}',
            '{"weights": "abc", "layers": {"a": []}}',
            '{"weights": "abc", "layers": {"a": ["x"]}}',
            '{"weights": "abc", "layers": {"a": [[0], [NaN]]}}',
        ],
    )
    def test_damaged_file_is_refused(self, tmp_path, text):
        path = tmp_path / "ranges.json"
        path.write_text(text)
        with pytest.raises(UserError, match="install the package anew"):
            self.calibration.read_extremes(path, "abc")


def test_contrast_beyond_noise_is_what_keras_sees():
    generator = np.random.default_rng(0)
    for amplitude in (0.001, 0.02, 0.03, 0.04, 0.5):
        thumbnail = (0.1 + amplitude * generator.random((128, 128, 3))).astype(np.float32)
        thumbnail[:40] += amplitude / 3
        expected = exposure_layers.seen_contrast(thumbnail[np.newaxis]).numpy()
        np.testing.assert_allclose(seen_contrast(thumbnail), expected[0, 0, 0, 0], atol=1e-4)
    assert seen_contrast(np.full((128, 128, 3), 0.3, np.float32)) == 0
