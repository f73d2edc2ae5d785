"""LPIPS: distance of two images in the features of a network trained on ImageNet."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.errors import UserError
from kind.metrics.image_arrays import checked_pair

SMALLEST_SIDE = 31

# Name in the file, kernel side, channels in and out, stride, padding, whether a 3×3/2 pooling comes first.
_LAYERS = (
    ("net.slice1.0", 11, 3, 64, 4, 2, False),
    ("net.slice2.3", 5, 64, 192, 1, 2, True),
    ("net.slice3.6", 3, 192, 384, 1, 1, True),
    ("net.slice4.8", 3, 384, 256, 1, 1, False),
    ("net.slice5.10", 3, 256, 256, 1, 1, False),
)
_SHIFT = np.array([-0.030, -0.088, -0.188], np.float32)
_SCALE = np.array([0.458, 0.448, 0.450], np.float32)


class Lpips:
    """LPIPS v0.1 with AlexNet (Zhang et al., CVPR 2018), with weights that the user brings.

    No weights ship: AlexNet's come from torchvision, the linear ones from the `lpips` package. Where both
    are installed, one line puts them into a file, under the names of that package's `state_dict`::

        python -c "import lpips, numpy; numpy.savez('lpips_alex.npz', **{k: v.numpy()
        for k, v in lpips.LPIPS(net='alex').state_dict().items()})"

    Used are `net.slice{1.0, 2.3, 3.6, 4.8, 5.10}.{weight, bias}` [out, in, k, k] and
    `lin{0..4}.model.1.weight` [1, channels, 1, 1]; other keys are ignored.
    """

    def __init__(self, path: str | Path) -> None:
        """Reads the weights without executing anything that the file holds.

        Args:
            path: the `.npz` described above.

        Raises:
            UserError: when the file is missing, damaged, or an array is missing or misshapen; the message
                names every such array.
        """
        self._layers = []
        arrays = _read(Path(path))
        digest = hashlib.sha256()
        for number, (name, _, _, _, stride, padding, pooled) in enumerate(_LAYERS):
            kernel, bias = arrays[f"{name}.weight"], arrays[f"{name}.bias"]
            linear = arrays[f"lin{number}.model.1.weight"].reshape(-1)
            for array in (kernel, bias, linear):
                digest.update(np.ascontiguousarray(array).tobytes())
            weights = [tf.constant(array) for array in (kernel.transpose(2, 3, 1, 0), bias, linear)]
            self._layers.append((*weights, stride, padding, pooled))
        self.digest = digest.hexdigest()
        self.name = Path(path).name

    def __call__(self, output: np.ndarray, target: np.ndarray) -> float:
        """Distance of two images; 0 for identical ones, lower is better.

        Args:
            output: float [H, W, 3], RGB in [0, 1] (scaled to [-1, 1] inside), both sides at least 31.
            target: the same shape.

        Returns:
            Σ over layers of the spatial mean of Σ over channels of w · (f₁ - f₂)², f normalised to length 1.

        Raises:
            ValueError: on smaller or other than RGB images, or see `checked_pair`.
        """
        output, target = checked_pair("LPIPS", output, target)
        if output.shape[2:] != (3,) or min(output.shape[:2]) < SMALLEST_SIDE:
            raise ValueError(
                f"LPIPS expects RGB images of at least {SMALLEST_SIDE}x{SMALLEST_SIDE} pixels; "
                f"received {list(output.shape)}"
            )
        features = tf.constant(np.stack([output, target]) * 2 - 1, tf.float32)
        features = (features - _SHIFT) / _SCALE
        distance = 0.0
        for kernel, bias, linear, stride, padding, pooled in self._layers:
            if pooled:
                features = tf.nn.max_pool2d(features, 3, 2, "VALID")
            pads = [[0, 0], [padding, padding], [padding, padding], [0, 0]]
            features = tf.nn.relu(tf.nn.conv2d(features, kernel, stride, pads) + bias)
            length = tf.sqrt(tf.reduce_sum(features**2, axis=-1, keepdims=True))
            unit = features / (length + 1e-10)
            distance += float(tf.reduce_mean(tf.reduce_sum(linear * (unit[0] - unit[1]) ** 2, axis=-1)))
        return distance


def _read(path: Path) -> dict[str, np.ndarray]:
    """The arrays that LPIPS needs, float32, or an error that names what is wrong."""
    if not path.is_file():
        raise UserError(f"{path}: no such LPIPS weights; docs/evaluation.md says how to make them")
    shapes = {}
    for number, (name, side, inputs, outputs, *_) in enumerate(_LAYERS):
        shapes[f"{name}.weight"] = (outputs, inputs, side, side)
        shapes[f"{name}.bias"] = (outputs,)
        shapes[f"lin{number}.model.1.weight"] = (1, outputs, 1, 1)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: np.asarray(archive[key], np.float32) for key in shapes if key in archive.files}
    except Exception as error:  # NumPy reports damage as OSError, zlib.error, TypeError and many more
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise UserError(f"{path}: cannot be read as .npz: {reason}") from error
    wrong = [f"{key} is missing" for key in shapes if key not in arrays]
    wrong += [
        f"{key} is {list(array.shape)}, expected {list(shapes[key])}"
        for key, array in arrays.items()
        if array.shape != shapes[key]
    ]
    if wrong:
        raise UserError(f"{path}: not LPIPS v0.1 AlexNet weights: {'; '.join(wrong)}")
    return arrays
