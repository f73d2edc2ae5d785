"""Arrays in [0, 1] on disk as 16-bit fixed point: decoded once, then read inside `tf.data` at memory speed.

A file holds little-endian 16-bit numbers: height, width, then the values in row order, 65535 for 1. The
rounding error is at most 2⁻¹⁷, a hundredth of an 8-bit level. Files are named by what they were made from,
so that they never go stale; the whole cache may be deleted at any time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.files import atomic_write

_SCALE = 65535.0
_ALIGNMENT = (
    32  # values: TensorFlow cuts a slice out of memory without copying it where it starts at 64 bytes
)


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
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
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


class Pack(NamedTuple):
    """Arrays of different sizes in one piece of memory.

    Attributes:
        values: uint16, all arrays one after another, with gaps.
        starts: int64 [number of arrays], where each begins.
        sizes: int32 [number of arrays, 2], the heights and widths.
    """

    values: tf.Tensor
    starts: tf.Tensor
    sizes: tf.Tensor


def pack(paths: Sequence[str]) -> Pack:
    """Reads arrays into memory.

    Args:
        paths: files of `write_array`, at least one.

    Returns:
        All of them, in this order.
    """
    lengths = [Path(path).stat().st_size // 2 - 2 for path in paths]
    steps = [-(-length // _ALIGNMENT) * _ALIGNMENT for length in lengths]
    starts = np.cumsum([0, *steps], dtype=np.int64)
    values = np.empty(starts[-1], np.uint16)
    sizes = np.empty((len(paths), 2), np.int32)
    for number, (path, start, length) in enumerate(zip(paths, starts, lengths)):
        content = np.fromfile(path, "<u2")
        sizes[number], values[start : start + length] = content[:2], content[2:]
    return Pack(tf.constant(values), tf.constant(starts[:-1]), tf.constant(sizes))


def unpacker(packed: Pack, channels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from an index, int64 scalar, to that array, uint16 [H, W, channels], for use in a graph."""

    def read(index: tf.Tensor) -> tf.Tensor:
        shape = tf.concat([tf.gather(packed.sizes, index), [channels]], axis=0)
        length = tf.reduce_prod(tf.cast(shape, tf.int64))
        return tf.reshape(tf.slice(packed.values, [tf.gather(packed.starts, index)], [length]), shape)

    return read


def default_memory() -> int:
    """Half of the memory in bytes that Linux says is available; 1 GiB where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")) * 1024 // 2
    except (OSError, StopIteration):
        return 1 << 30


def to_float(values: tf.Tensor) -> tf.Tensor:
    """uint16 fixed point → float32 in [0, 1]; after the crop, so that only the crop is converted."""
    return tf.cast(values, tf.float32) / _SCALE
