"""The enhancement for TensorFlow Lite, with weights of 16 bits, or weights and activations of 8."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.export.portable import Portable, Written, publish


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
        calibration: dark photographs, scaled to the size, from which the ranges of 8-bit activations are
            taken; without any the weights are stored as float16 and computed with in float32.

    Returns:
        The file and its deviation.

    Raises:
        UserError: see `kind.export.portable.publish`.
    """
    function = portable.function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], portable.module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if calibration:
        converter.representative_dataset = lambda: (
            {"image": image, "alpha": alpha} for image, alpha in portable.inputs(calibration)
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


def _runner(content: bytes):
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=2)
    run = interpreter.get_signature_runner()
    return lambda image, alpha: run(image=image, alpha=alpha)["relit"]
