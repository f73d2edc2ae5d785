"""Memory of large results, which TensorFlow takes over without a copy."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_ALIGNMENT = 64  # bytes


def shareable(shape: tuple[int, ...], dtype: type = np.float32) -> np.ndarray:
    """Memory for numbers that TensorFlow can take over as it is, because it begins where its own does."""
    size = np.dtype(dtype).itemsize * int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def shared(array: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of a `shareable` array; any other conversion copies."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
