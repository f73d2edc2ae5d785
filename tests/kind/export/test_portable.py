"""TensorFlow Lite and ONNX files of the enhancement, run by their own runtimes."""

import numpy as np
import pytest
import tensorflow as tf

from kind.enhancing.enhancer import Enhancer
from kind.errors import UserError
from kind.export import onnx_file
from kind.export.onnx_file import check_onnx_is_installed, write_onnx
from kind.export.portable import Portable, make_portable
from kind.export.tflite import write_tflite


@pytest.fixture(scope="module")
def enhancer(untrained_weights):
    return Enhancer.load(untrained_weights, variant="kind")


def photographs(count, height=30, width=50):
    return [np.random.default_rng(seed).random((height, width, 3)) ** 2 / 4 for seed in range(count)]


@pytest.mark.slow
def test_sixteen_bits_are_nearly_the_pipeline(enhancer, tmp_path):
    portable = make_portable(enhancer, (20, 36))
    written = write_tflite(tmp_path / "new" / "kind.tflite", portable, photographs(2))
    assert written.path.stat().st_size < 2.2 * 8_016_008  # bytes a weight
    assert written.largest < 0.01 and written.psnr > 60
    interpreter = tf.lite.Interpreter(model_path=str(written.path))
    inputs = {spec["name"].split("_", 2)[-1]: spec for spec in interpreter.get_input_details()}
    assert {tuple(spec["shape"]) for spec in inputs.values()} == {(1, 20, 36, 3), (1,)}
    assert all(spec["dtype"] == np.float32 for spec in interpreter.get_input_details())
    assert interpreter.get_output_details()[0]["dtype"] == np.float32


@pytest.mark.slow
def test_eight_bits_are_measured(tmp_path):
    """Dark photographs alone leave bins of the histogram at 0, which must not decide a range."""
    portable = make_portable(Enhancer.load(variant="lite"), (48, 64))
    dark = [np.random.default_rng(seed).random((48, 64, 3)) / 12 for seed in range(2)]
    written = write_tflite(tmp_path / "lite.tflite", portable, dark, dark)
    assert 0.001 < written.largest < 0.5 and written.psnr > 25
    operations = tf.lite.Interpreter(model_path=str(written.path)).get_tensor_details()
    assert sum(tensor["dtype"] == np.int8 for tensor in operations) > 20


@pytest.mark.slow
def test_eight_bits_that_change_the_picture_are_not_written(tmp_path):
    """TensorFlow Lite rounds the illumination, a sigmoid, to 256 steps; the three networks divide by it."""
    portable = make_portable(Enhancer.load(variant="kind"), (48, 64))
    dark = [np.random.default_rng(seed).random((48, 64, 3)) / 12 for seed in range(2)]
    with pytest.raises(UserError, match="int8.tflite: not written: PSNR to the pipeline is"):
        write_tflite(tmp_path / "int8.tflite", portable, dark, dark)
    assert list(tmp_path.iterdir()) == []


def test_what_no_photograph_of_the_calibration_reaches_ends_no_process(tmp_path):
    """TensorFlow Lite stops the process for an 8-bit range of size 0."""
    kernel = tf.random.stateless_uniform((3, 3, 3, 3), (0, 0))

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 3)), tf.TensorSpec((1,))])
    def mostly_bright(image, alpha):
        bright = tf.nn.conv2d(tf.nn.relu(image - 2.0), kernel, 1, "SAME")
        return {"relit": image + alpha * bright}

    portable = Portable(mostly_bright, tf.Module(), (4, 4))
    dark = [np.full((4, 4, 3), 0.1)]
    assert write_tflite(tmp_path / "int8.tflite", portable, dark, dark).largest < 1e-6


def test_photographs_are_scaled_to_the_one_size(enhancer):
    ((image, alpha),) = make_portable(enhancer, (16, 40)).inputs(photographs(1))
    assert image.shape == (1, 16, 40, 3) and image.dtype == np.float32 and alpha.tolist() == [5.0]
    ((image, _),) = make_portable(enhancer, None).inputs(photographs(1))
    np.testing.assert_allclose(image[0], photographs(1)[0], atol=1e-7)


@pytest.mark.slow
def test_onnx_takes_images_of_any_size(enhancer, tmp_path):
    pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    images = [*photographs(1), *photographs(1, 17, 23), *photographs(1, 1, 1)]
    written = write_onnx(tmp_path / "kind.onnx", make_portable(enhancer, None), images)
    assert written.largest < 1e-5


@pytest.mark.slow
def test_the_light_variant_too(untrained_weights, tmp_path):
    light = Enhancer.load(untrained_weights, variant="lite")
    written = write_tflite(tmp_path / "lite.tflite", make_portable(light, (20, 36)), photographs(2))
    assert written.largest < 0.02 and written.psnr > 55
    pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    images = [*photographs(1), *photographs(1, 17, 23), *photographs(1, 1, 1)]
    written = write_onnx(tmp_path / "lite.onnx", make_portable(light, None), images)
    assert written.largest < 1e-5


def test_without_onnx_there_is_one_line(monkeypatch):
    monkeypatch.setattr(onnx_file, "_PYTHON", (3, 0))
    monkeypatch.setattr(onnx_file, "_PACKAGES", ("numpy", "no_such_package"))
    with pytest.raises(UserError, match=r"needs no_such_package: install with pip install 'kind\[onnx\]'"):
        check_onnx_is_installed()


def test_where_onnx_cannot_be_installed_it_says_so(monkeypatch):
    monkeypatch.setattr(onnx_file, "_PYTHON", (4, 0))
    with pytest.raises(UserError, match="needs Python 3.10 or 3.11"):
        check_onnx_is_installed()
