"""What computes: the device, the engine, and the memory that a GPU takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from kind.training.sessions import device_name

_MIB = 2**20


class Machine(NamedTuple):
    """What computes.

    Attributes:
        device: names of the GPUs, or the processor's model and its number of cores, as the system reports it.
        engine: TensorFlow, its version, and whether with oneDNN.
    """

    device: str
    engine: str


def this_machine() -> Machine:
    """The devices that TensorFlow uses here, and its version."""
    onednn = (
        "" if tf.config.list_logical_devices("GPU") else f" {'with' if _has_onednn() else 'without'} oneDNN"
    )
    return Machine(device_name(), f"TensorFlow {tf.__version__}{onednn}")


def gpu_peak(call: Callable[[], object]) -> float | None:
    """The most memory that TensorFlow holds on the first GPU during a call, weights included.

    Args:
        call: what is measured; it has run before, so that nothing is built.

    Returns:
        MiB; None without a GPU.
    """
    devices = tf.config.list_logical_devices("GPU")
    if not devices:
        return None
    name = devices[0].name.removeprefix("/device:")
    tf.config.experimental.reset_memory_stats(name)
    call()
    return tf.config.experimental.get_memory_info(name)["peak"] / _MIB


def _has_onednn() -> bool:
    from tensorflow.python.util import _pywrap_util_port  # there is no public way

    return _pywrap_util_port.IsMklEnabled()
