"""Measures what a machine can do at most: arithmetic by a large matrix product, memory by a large copy."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.enhancing.processors import processors

_SIDE = 2048  # of the matrices: 8 to 16 MiB each, and 17 GFLOP
_COPIED = 256 * 2**20  # bytes; copy and original together are more than caches hold
_INT8 = "int8"


class Roofs(NamedTuple):
    """The most that a machine reached.

    Attributes:
        arithmetic: FLOP/s by precision; "int8" are operations on 8-bit integers, by ONNX Runtime, on the CPU.
        bandwidth: bytes per second, read and written, of a copy.
    """

    arithmetic: dict[str, float]
    bandwidth: float

    def at(self, intensity: float, precision: str) -> float:
        """The most FLOP/s at an arithmetic intensity in FLOP/byte (Williams et al., CACM 2009)."""
        return min(self.arithmetic[precision], intensity * self.bandwidth)


def measure_roofs(precisions: Sequence[str], rounds: int = 5) -> Roofs:
    """Measures on the device that TensorFlow uses, with all of its threads.

    Args:
        precisions: "float32" or "bfloat16" each. 8-bit integers are measured too where there is no GPU and
            `onnx` and `onnxruntime` are installed.
        rounds: of which the fastest counts.

    Returns:
        The roofs.
    """
    found = {precision: 2 * _SIDE**3 / _fastest(_product(precision), rounds) for precision in precisions}
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    integers = None if on_gpu else _integer_product()
    if integers:
        found[_INT8] = 2 * _SIDE**3 / _fastest(integers, rounds)
    return Roofs(found, 2 * _COPIED / _fastest(_copy_on_gpu() if on_gpu else _copy(), rounds))


def _fastest(call: Callable[[], object], rounds: int) -> float:
    call()  # builds kernels, and touches the memory
    seconds = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _product(precision: str) -> Callable[[], object]:
    matrix = tf.cast(tf.random.stateless_normal((_SIDE, _SIDE), (0, 0)), precision)
    # One number of the product is fetched: a GPU is waited for, and the copy costs nothing.
    multiply = tf.function(lambda first, second: tf.matmul(first, second)[:1, :1])
    return lambda: multiply(matrix, matrix).numpy()


def _integer_product() -> Callable[[], object] | None:
    """The product of 8-bit integers in 32 bits; None where what computes it is not installed."""
    try:
        import onnx
        import onnxruntime
    except ImportError:
        return None
    make, side = onnx.helper, [_SIDE, _SIDE]
    graph = make.make_graph(
        [make.make_node("MatMulInteger", ["first", "second"], ["product"])],
        "product",
        [make.make_tensor_value_info("first", onnx.TensorProto.UINT8, side)],
        [make.make_tensor_value_info("product", onnx.TensorProto.INT32, side)],
        [onnx.numpy_helper.from_array(np.ones(side, np.int8), "second")],
    )
    model = make.make_model(graph, opset_imports=[make.make_opsetid("", 13)])
    model.ir_version = 8  # what ONNX Runtime has read since 2021
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    first = np.ones(side, np.uint8)
    return lambda: session.run(None, {"first": first})


def _copy() -> Callable[[], object]:
    """A copy by as many threads as there are processors; NumPy lets them run side by side."""
    source = np.ones(_COPIED // 4, np.float32)
    target = np.empty_like(source)
    count = processors()
    pieces = list(zip(np.array_split(target, count), np.array_split(source, count)))
    pool = ThreadPoolExecutor(count)
    return lambda: list(pool.map(lambda piece: np.copyto(*piece), pieces))


def _copy_on_gpu() -> Callable[[], object]:
    source = tf.ones(_COPIED // 4)
    negate = tf.function(lambda numbers: -numbers)  # TensorFlow has no operation that only copies
    return lambda: negate(source)[0].numpy()
