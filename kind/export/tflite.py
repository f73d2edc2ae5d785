"""The enhancement for TensorFlow Lite, with weights of 16 bits, or weights and activations of 8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.errors import UserError
from kind.export.portable import Portable, Written, publish

_LEAST_SCALE = 1e-30  # of 8-bit activations; 0 is written as 4.6e-41


def write_tflite(
    path: Path,
    portable: Portable,
    photographs: Sequence[np.ndarray],
    calibration: Sequence[np.ndarray] = (),
) -> Written:
    """Writes a model whose inputs `image` and `alpha` and output `relit` are float32.

    Args:
        path: the `.tflite` file.
        portable: the enhancement, of a fixed size.
        photographs: float [H, W, 3] in [0, 1], to compare the model with the pipeline on.
        calibration: photographs, scaled to the size, from which the ranges of 8-bit activations are taken,
            and from a ramp from black to white; without any the weights are stored as float16 and computed
            with in float32.

    Returns:
        The file and its deviation.

    Raises:
        UserError: see `kind.export.portable.publish`; and when something in the network is 0 for all of
            the calibration, which TensorFlow Lite ends the process for.
    """
    function = portable.function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], portable.module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration:
        converter.representative_dataset = lambda: (
            {"image": image, "alpha": alpha} for image, alpha in portable.inputs([*calibration, _ramp()])
        )
        # TensorFlow's newer quantiser wants one scale for the illumination and for α, which the joins of two
        # networks tie together, and gives up. The older one leaves the division of the stretch in float32.
        converter.experimental_new_quantizer = False
        converter.target_spec.supported_ops = [
            tf.lite.OpsSet.TFLITE_BUILTINS_INT8,
            tf.lite.OpsSet.TFLITE_BUILTINS,
        ]
    else:
        converter.target_spec.supported_types = [tf.float16]
    content = converter.convert()
    return publish(path, content, portable, _runner(content), photographs)


def _ramp() -> np.ndarray:
    """All greys. Dark photographs alone leave parts of the networks at 0, such as bins of a histogram."""
    return np.broadcast_to(np.linspace(0.0, 1.0, 256, dtype=np.float32)[:, np.newaxis], (64, 256, 3))


def _runner(content: bytes):
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=2)
    for tensor in interpreter.get_tensor_details():
        scales = tensor["quantization_parameters"]["scales"]
        if len(scales) and min(scales) < _LEAST_SCALE:
            name = tensor["name"].split(";")[0]
            raise UserError(
                f"int8: {name} of the network is 0 for all photographs of --calibrate: give others, too"
            )
    run = interpreter.get_signature_runner()
    return lambda image, alpha: run(image=image, alpha=alpha)["relit"]
