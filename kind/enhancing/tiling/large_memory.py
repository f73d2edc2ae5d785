"""Memory for what is large: results that TensorFlow takes over, and pieces that are given back."""

from __future__ import annotations

import ctypes

import numpy as np
import tensorflow as tf

_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
_LARGE = 4 * 2**20
_ALIGNMENT = 64  # bytes


def give_back_large_pieces() -> None:
    """Makes glibc give pieces of 4 MiB and more back to the system as soon as they are freed.

    By itself it keeps pieces of up to 32 MiB for later, in a heap for each thread, and these heaps get
    fragmented: with every tile of a large image some more memory is held that nobody uses. Other C libraries
    are left as they are.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _LARGE)
    except (AttributeError, OSError, TypeError):  # no such function, or no such library
        return


def shareable(shape: tuple[int, ...]) -> np.ndarray:
    """Memory for float32 that TensorFlow can take over as it is, because it begins where its own does."""
    size = 4 * int(np.prod(shape, dtype=np.int64))
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].view(np.float32).reshape(shape)


def shared(array: np.ndarray) -> tf.Tensor:
    """A tensor in the memory of a `shareable` array; any other conversion copies."""
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
