"""Arrays in [0, 1] on disk as 16-bit fixed point: decoded once, then read inside `tf.data` at memory speed.

A file holds little-endian 16-bit numbers: height, width, then the values in row order, 65535 for 1. The
rounding error is at most 2⁻¹⁷, a hundredth of an 8-bit level. Files are named by what they were made from,
so that they never go stale; the whole cache may be deleted at any time.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.files import replacing

_SCALE = 65535.0


def default_cache() -> Path:
    """The user's cache folder: `$XDG_CACHE_HOME/kind`, or `~/.cache/kind`."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kind"


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes one array.

    Args:
        path: the file, wholly there or not at all.
        array: float32 [H, W, C] in [0, 1], sides below 65536.
    """
    height, width = array.shape[:2]
    values = np.rint(np.clip(array, 0.0, 1.0) * _SCALE).astype("<u2")
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(np.array([height, width], "<u2").tobytes())
        file.write(values.tobytes())


def read_array(path: tf.Tensor | str, channels: int) -> tf.Tensor:
    """Reads one array, also in a graph.

    Args:
        path: scalar string.
        channels: C, which the file does not hold.

    Returns:
        uint16 [H, W, C]; `to_float` makes it [0, 1].
    """
    values = tf.io.decode_raw(tf.io.read_file(path), tf.uint16)
    size = tf.cast(values[:2], tf.int32)
    return tf.reshape(values[2:], tf.stack([size[0], size[1], channels]))


def to_float(values: tf.Tensor) -> tf.Tensor:
    """uint16 fixed point → float32 in [0, 1]; after the crop, so that only the crop is converted."""
    return tf.cast(values, tf.float32) / _SCALE
