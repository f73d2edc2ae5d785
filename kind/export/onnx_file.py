"""The enhancement as an ONNX file; needs the packages of the extra `onnx`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kind.errors import UserError
from kind.export.portable import Portable, Written, publish

_PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
_PYTHON = (3, 10)
_OPERATOR_SET = 17
_LARGEST = 1e-3  # difference of float32 in another order of computing, with room


def check_onnx_is_installed() -> None:
    """Raises a UserError that says how to install what is missing."""
    if sys.version_info < _PYTHON:
        raise UserError(
            "--format onnx needs Python 3.10 or 3.11: tf2onnx has no release for older ones and protobuf 4"
        )
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"--format onnx needs {', '.join(missing)}: install with pip install 'kind[onnx]'")


def write_onnx(path: Path, portable: Portable, photographs: Sequence[np.ndarray]) -> Written:
    """Writes a model whose inputs `image` and `alpha` and output `relit` are float32.

    Args:
        path: the `.onnx` file.
        portable: the enhancement.
        photographs: float [H, W, 3] in [0, 1], to compare the model with the pipeline on.

    Returns:
        The file and its deviation.

    Raises:
        UserError: see `kind.export.portable.publish`.
    """
    import onnxruntime
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        portable.function, portable.function.input_signature, opset=_OPERATOR_SET
    )
    content = model.SerializeToString()
    sessions = []

    def run(image: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        if not sessions:
            sessions.append(onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]))
        names = [entry.name for entry in sessions[0].get_inputs()]
        values = {name: image if "image" in name else alpha for name in names}
        return sessions[0].run(None, values)[0]

    return publish(path, content, portable, run, photographs, _LARGEST)
