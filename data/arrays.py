"""Arrays in [0, 1] on disk as 16-bit fixed point: decoded once, then read inside `tf.data` at memory speed.

A file holds little-endian 16-bit numbers: height, width, then the values in row order, 65535 for 1; at its
end stand a mark and a CRC-32 of all before it. The rounding error is at most 2⁻¹⁷, a hundredth of an 8-bit
level. Files are named by what they were made from, so that they never go stale; the whole cache may be
deleted at any time.
"""

from __future__ import annotations

import contextlib
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tensorflow as tf

from kind.errors import UserError, listed
from kind.files import atomic_write, remove_leftovers

_SCALE = 65535.0
_WHOLE, _MISSING, _DAMAGED = "whole", "missing", "damaged"
_HEAD, _MARK, _TAIL = 4, b"u16\x01", 8  # bytes, but for the mark


def default_cache() -> Path:
    """The user's cache folder: `$XDG_CACHE_HOME/kind`, or `~/.cache/kind`.

    Raises:
        UserError: when the system does not say where the user's home is.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kind"
    except RuntimeError as error:
        raise UserError("this user has no home folder to keep decoded images in; give --cache DIR") from error


@contextlib.contextmanager
def writing_to_cache(place: Path) -> Iterator[None]:
    """Turns a failure to write, also one that `write_photo` has put in words, into one line.

    Args:
        place: named where the error names no file.

    Raises:
        UserError: naming the place and `--cache`.
    """
    try:
        yield
    except (OSError, UserError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError):
            raise
        raise UserError(
            f"{cause.filename or place}: cannot be written ({cause.strerror or cause}): make room, or give "
            "another --cache"
        ) from error


def write_array(path: Path, array: np.ndarray) -> None:
    """Writes one array.

    Args:
        path: the file, wholly there or not at all.
        array: float32 [H, W, C] in [0, 1], sides below 65536.

    Raises:
        UserError: when it cannot be written, as on a full disk; the message names `--cache`.
    """
    height, width = array.shape[:2]
    values = np.rint(np.clip(array, 0.0, 1.0) * _SCALE).astype("<u2")
    content = np.array([height, width], "<u2").tobytes() + values.tobytes()
    tail = _MARK + zlib.crc32(content).to_bytes(4, "little")
    with writing_to_cache(path), atomic_write(path) as temporary, open(temporary, "wb") as file:
        file.write(content)
        file.write(tail)


def find_unusable(files: Mapping[str, int]) -> set[str]:
    """Finds arrays that have to be made, or made anew; names those that are damaged on stderr, in one line.

    Args:
        files: the number of channels of each file.

    Returns:
        The files that are missing, damaged, or of an older format that could not tell.
    """
    for folder in {Path(path).parent for path in files}:
        remove_leftovers(folder)
    with ThreadPoolExecutor() as pool:
        states = dict(zip(files, pool.map(_state, files.keys(), files.values())))
    damaged = [path for path, state in states.items() if state == _DAMAGED]
    if damaged:
        print(
            f"{Path(damaged[0]).parent}: damaged in the cache, made anew: "
            f"{listed([Path(path).name for path in damaged])}",
            file=sys.stderr,
        )
    return {path for path, state in states.items() if state != _WHOLE}


def _state(path: str, channels: int) -> str:
    """Whether an array is whole, missing or damaged, by its size and its digest."""
    try:
        content = Path(path).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return _MISSING
    except OSError:
        return _DAMAGED
    if len(content) < _HEAD:
        return _DAMAGED
    height, width = np.frombuffer(content, "<u2", count=2).tolist()
    size = _HEAD + 2 * height * width * channels
    if len(content) == size:
        return _MISSING  # of the format before there were digests
    view = memoryview(content)
    tail = _MARK + zlib.crc32(view[:size]).to_bytes(4, "little")
    return _WHOLE if len(content) == size + _TAIL and view[size:] == tail else _DAMAGED


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
    return tf.reshape(values[_HEAD // 2 : -_TAIL // 2], tf.stack([size[0], size[1], channels]))


def pack(paths: Sequence[str], channels: int) -> tf.Tensor:
    """Reads arrays into memory.

    Args:
        paths: files of `write_array`, at least one.
        channels: C, of all of them.

    Returns:
        A list of TensorFlow's, variant scalar, of the arrays in this order; takes no more memory than they.
    """
    with tf.device("CPU:0"):
        arrays = tf.raw_ops.EmptyTensorList(
            element_shape=tf.constant(-1), max_num_elements=len(paths), element_dtype=tf.uint16
        )
        for path in paths:
            arrays = tf.raw_ops.TensorListPushBack(input_handle=arrays, tensor=read_array(path, channels))
    return arrays


def unpacker(packed: tf.Tensor, channels: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from an index, int64 scalar, to that array, uint16 [H, W, channels], for use in a graph."""

    def read(index: tf.Tensor) -> tf.Tensor:
        return tf.raw_ops.TensorListGetItem(
            input_handle=packed,
            index=tf.cast(index, tf.int32),
            element_shape=tf.constant([-1, -1, channels]),
            element_dtype=tf.uint16,
        )

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
