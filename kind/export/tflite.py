"""The enhancement for TensorFlow Lite, with weights of 16 bits, or weights and activations of 8."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.export.portable import Portable, Written, publish

_LEAST_PSNR = 25.0  # of an 8-bit model; with less, colours are visibly wrong

# Only convolutions are computed in 8 bits: linear light, its logarithm and α do not fit into 256 steps.
# TensorFlow Lite rounds the results of tanh and sigmoid to 8 bits all the same, whatever this says.
_IN_FLOAT = """
    ABS ADD BATCH_MATMUL CONCATENATION DEPTH_TO_SPACE DIV EQUAL EXP FULLY_CONNECTED GATHER GREATER IF
    LEAKY_RELU LESS LESS_EQUAL LOG LOGISTIC MAXIMUM MAX_POOL_2D MEAN MINIMUM MUL NEG NOT_EQUAL PACK
    REDUCE_ANY REDUCE_MAX REDUCE_MIN RELU RESHAPE RESIZE_BILINEAR SELECT SELECT_V2 SPACE_TO_DEPTH SQRT
    SQUARE STRIDED_SLICE SUB SUM TANH TILE
""".split()


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
        calibration: photographs, scaled to the size; convolutions are computed in 8 bits, with the ranges of
            these and of a ramp from black to white; without any the weights are stored as float16 and
            computed with in float32.

    Returns:
        The file and its deviation.

    Raises:
        UserError: see `kind.export.portable.publish`; in 8 bits also when the file is below 25 dB.
    """
    content = converted(portable, calibration)
    least = _LEAST_PSNR if calibration else 0.0
    return publish(path, content, portable, runner(content), photographs, least_psnr=least)


def converted(portable: Portable, calibration: Sequence[np.ndarray] = ()) -> bytes:
    """The model of `write_tflite`, in memory."""
    function = portable.function.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], portable.module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if not calibration:
        converter.target_spec.supported_types = [tf.float16]
        return converter.convert()

    def inputs() -> Iterator[dict[str, np.ndarray]]:
        return ({"image": image, "alpha": alpha} for image, alpha in portable.inputs([*calibration, _ramp()]))

    converter.representative_dataset = inputs
    in_float = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=_IN_FLOAT)
    # no other public function leaves operations out
    debugger = tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=inputs, debug_options=in_float
    )
    return debugger.get_nondebug_quantized_model()


def _ramp() -> np.ndarray:
    """All greys. Dark photographs alone leave parts of the networks at 0, such as bins of a histogram."""
    return np.broadcast_to(np.linspace(0.0, 1.0, 256, dtype=np.float32)[:, np.newaxis], (64, 256, 3))


def runner(content: bytes) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Computes with a converted model, on two threads."""
    interpreter = tf.lite.Interpreter(model_content=content, num_threads=2)
    run = interpreter.get_signature_runner()
    return lambda image, alpha: run(image=image, alpha=alpha)["relit"]
