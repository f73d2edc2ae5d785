import os

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from kind.errors import UserError
from kind.metrics.lpips import Lpips

# AlexNet's five convolutions as torchvision numbers them: name, [out, in, side], stride, padding.
_SHAPES = {
    "net.slice1.0": ((64, 3, 11), 4, 2),
    "net.slice2.3": ((192, 64, 5), 1, 2),
    "net.slice3.6": ((384, 192, 3), 1, 1),
    "net.slice4.8": ((256, 384, 3), 1, 1),
    "net.slice5.10": ((256, 256, 3), 1, 1),
}


def _weights(seed=0):
    generator = np.random.default_rng(seed)
    arrays = {"scaling_layer.shift": np.zeros((1, 3, 1, 1), np.float32)}  # in the state dict, not needed
    for number, (name, ((out, into, side), _, _)) in enumerate(_SHAPES.items()):
        scale = (2 / (into * side * side)) ** 0.5
        arrays[f"{name}.weight"] = generator.normal(0, scale, (out, into, side, side)).astype(np.float32)
        arrays[f"{name}.bias"] = generator.normal(0, 0.1, out).astype(np.float32)
        arrays[f"lin{number}.model.1.weight"] = generator.random((1, out, 1, 1)).astype(np.float32)
    return arrays


def windows(image, side, stride):
    """[C, H, W] → [C, rows, columns, side, side]."""
    return sliding_window_view(image, (side, side), axis=(1, 2))[:, ::stride, ::stride]


def _features(image, arrays):
    """Channels first, as in PyTorch, with NumPy alone."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    current = ((2 * image.astype(np.float64) - 1 - shift) / scale).transpose(2, 0, 1)
    for name, ((_, _, side), stride, padding) in _SHAPES.items():
        if name in ("net.slice2.3", "net.slice3.6"):
            current = windows(current, 3, 2).max(axis=(3, 4))
        padded = np.pad(current, ((0, 0), (padding, padding), (padding, padding)))
        current = np.einsum(
            "cyxij,ocij->oyx", windows(padded, side, stride), arrays[f"{name}.weight"], optimize=True
        )
        current = np.maximum(current + arrays[f"{name}.bias"][:, None, None], 0)
        yield current / (np.sqrt((current**2).sum(axis=0)) + 1e-10)


def _reference(output, target, arrays):
    distance = 0
    for number, (one, other) in enumerate(zip(_features(output, arrays), _features(target, arrays))):
        weights = arrays[f"lin{number}.model.1.weight"][0]
        distance += (weights * (one - other) ** 2).sum(axis=0).mean()
    return distance


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("lpips") / "weights.npz"
    np.savez(path, **_weights())
    return path


@pytest.mark.parametrize("size", [(31, 31), (64, 64), (45, 70)])
def test_equals_a_numpy_version(weights, size):
    output, target = np.random.default_rng(1).random((2, *size, 3), np.float32)
    assert Lpips(weights)(output, target) == pytest.approx(_reference(output, target, _weights()), rel=1e-4)


def test_identical_images_are_at_distance_zero(weights):
    image = np.random.default_rng(1).random((40, 40, 3))
    assert Lpips(weights)(image, image) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shape", [(30, 64, 3), (64, 64, 1), (64, 64)])
def test_small_and_gray_images_are_errors(weights, shape):
    with pytest.raises(ValueError, match="31x31"):
        Lpips(weights)(np.zeros(shape), np.zeros(shape))


def test_the_digest_follows_the_weights(weights, tmp_path):
    np.savez(tmp_path / "other.npz", **_weights(seed=1))
    assert Lpips(weights).digest == Lpips(weights).digest != Lpips(tmp_path / "other.npz").digest


def test_missing_and_misshapen_arrays_are_all_named(tmp_path):
    arrays = _weights()
    del arrays["lin2.model.1.weight"]
    arrays["net.slice1.0.bias"] = np.zeros(63, np.float32)
    np.savez(tmp_path / "wrong.npz", **arrays)
    with pytest.raises(
        UserError, match="lin2.model.1.weight is missing; net.slice1.0.bias is .63., expected .64."
    ):
        Lpips(tmp_path / "wrong.npz")


def test_a_missing_or_broken_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match="no such LPIPS weights"):
        Lpips(tmp_path / "none.npz")
    (tmp_path / "broken.npz").write_bytes(b"PK\3\4 nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        Lpips(tmp_path / "broken.npz")


class _Touch:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_nothing_in_the_file_is_executed(tmp_path):
    arrays = _weights()
    arrays["net.slice1.0.bias"] = np.array([_Touch(tmp_path / "executed")], object)
    np.savez(tmp_path / "trap.npz", **arrays)
    with pytest.raises(UserError, match="cannot be read"):
        Lpips(tmp_path / "trap.npz")
    assert not (tmp_path / "executed").exists()
