"""Every export format of every variant, run by its own runtime on images from one pixel to a full screen."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from tensorflow import keras

from kind.enhancing.enhancer import Enhancer
from kind.enhancing.variants import shipped_variants
from kind.errors import UserError
from kind.export.onnx_file import write_onnx
from kind.export.parity import deviations
from kind.export.portable import Portable, make_portable, publish
from kind.export.saved_model import export_saved_model
from kind.export.tflite import write_tflite
from kind.guided.model import NAMES, NETWORKS, Design
from kind.nn.saving import save_net

SIZES = ((1, 1), (37, 181), (400, 600), (1080, 1920))


def photograph(size):
    """A dark picture of slopes and noise: float [H, W, 3] in [0, 1]."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    slopes = np.stack([rows, columns, (rows + columns) / 2], axis=-1)
    return 0.15 * slopes + 0.02 * np.random.default_rng(0).random((*size, 3))


VARIANTS = (*shipped_variants(), *NAMES)


def in_its_own_process(test, *arguments):
    """Runs a test apart, because TensorFlow, converters and runtimes keep much: 17 GB after all of these."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(test, *arguments).result()


def enhancer_of(variant, folder):
    if variant not in NAMES:
        return Enhancer.load(variant=variant)
    keras.utils.set_random_seed(0)
    # As `kind pack` writes them.
    save_net(NETWORKS[variant](Design()), folder / f"{variant}.keras", half_precision=True)
    return Enhancer.load(folder, variant=variant)


def check_saved_model(variant, folder):
    enhancer = enhancer_of(variant, folder)
    version = export_saved_model(folder / "model", enhancer, None, photograph=photograph((48, 64)))
    for size in SIZES:
        found = deviations(version, enhancer, None, photograph(size))
        assert [one for one in found if not one.is_within] == [], size


def check_tflite(variant, folder, size):
    portable = make_portable(enhancer_of(variant, folder), size)
    written = write_tflite(folder / "one.tflite", portable, [photograph(size)])
    # Constants have 16 bits there, too, and untrained networks enlarge the difference.
    most = 0.05 if variant in NAMES else 0.02
    assert written.path.is_file() and written.largest < most, written.largest


def check_onnx(variant, folder):
    photographs = [photograph(size) for size in SIZES]
    written = write_onnx(folder / "any.onnx", make_portable(enhancer_of(variant, folder), None), photographs)
    # Norms over whole images add up millions of numbers, in another order.
    most = 1e-3 if variant in NAMES else 1e-4
    assert written.path.is_file() and written.largest < most, written.largest


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_saved_model(variant, tmp_path):
    in_its_own_process(check_saved_model, variant, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_tflite(variant, tmp_path, size):
    in_its_own_process(check_tflite, variant, tmp_path, size)


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_onnx(variant, tmp_path):
    pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    in_its_own_process(check_onnx, variant, tmp_path)


def raising(image, alpha):
    raise RuntimeError("a Tile\nwith a negative count")


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (raising, "its runtime fails on it (RuntimeError: a Tile with a negative count)"),
        (
            lambda image, alpha: image + 0.1,
            "it differs from the pipeline by 0.1 (of 0 to 1), more than 0.001",
        ),
        (lambda image, alpha: image * np.nan, "received an image with NaN or infinity"),
    ],
)
def test_a_file_that_fails_its_own_check_is_not_there(tmp_path, run, reason):
    same = Portable(lambda image, alpha: {"relit": Known(image)}, None, None)
    path = tmp_path / "new" / "bad.onnx"
    with pytest.raises(UserError) as caught:
        publish(path, b"content", same, run, [photograph((48, 64))], largest=1e-3)
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert not path.exists()
    assert publish(path, b"content", same, lambda image, alpha: image, [photograph((48, 64))]).largest == 0
    assert path.read_bytes() == b"content"


class Known:
    """An array that TensorFlow would give."""

    def __init__(self, array):
        self.array = array

    def numpy(self):
        return self.array
