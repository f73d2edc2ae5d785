"""Every export format of every variant, run by its own runtime on images from one pixel to a full screen."""

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
by_size = pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)


def photograph(size):
    """A dark picture of slopes and noise: float [H, W, 3] in [0, 1]."""
    rows, columns = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    slopes = np.stack([rows, columns, (rows + columns) / 2], axis=-1)
    return 0.15 * slopes + 0.02 * np.random.default_rng(0).random((*size, 3))


@pytest.fixture(scope="module", params=[*shipped_variants(), *NAMES])
def enhancer(request, tmp_path_factory):
    if request.param not in NAMES:
        return Enhancer.load(variant=request.param)
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("weights")
    path = folder / f"{request.param}.keras"
    save_net(NETWORKS[request.param](Design()), path, half_precision=True)  # as `kind pack` writes them
    return Enhancer.load(folder, variant=request.param)


@pytest.mark.slow
def test_saved_model(enhancer, tmp_path):
    version = export_saved_model(tmp_path / "model", enhancer, None, photograph=photograph((48, 64)))
    for size in SIZES:
        found = deviations(version, enhancer, None, photograph(size))
        assert [one for one in found if not one.is_within] == [], size


@pytest.mark.slow
@by_size
def test_tflite(enhancer, tmp_path, size):
    written = write_tflite(tmp_path / "one.tflite", make_portable(enhancer, size), [photograph(size)])
    # Constants have 16 bits there, too, and untrained networks enlarge the difference.
    assert written.path.is_file() and written.largest < (0.05 if enhancer.variant in NAMES else 0.02)


@pytest.mark.slow
def test_onnx(enhancer, tmp_path):
    pytest.importorskip("tf2onnx", reason="the extra `onnx` is not installed")
    photographs = [photograph(size) for size in SIZES]
    written = write_onnx(tmp_path / "any.onnx", make_portable(enhancer, None), photographs)
    # Norms over whole images add up millions of numbers, in another order.
    assert written.path.is_file() and written.largest < (1e-3 if enhancer.variant in NAMES else 1e-4)


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
