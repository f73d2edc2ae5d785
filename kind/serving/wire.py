"""Messages between two processes: a JSON object, and arrays as their bytes; needs no TensorFlow.

Not pickled: whoever reads a message must not run what is in it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np

Arrays = Mapping[str, np.ndarray]
_LENGTH = struct.Struct("<Q")


def write_message(file: BinaryIO, header: Mapping[str, Any], arrays: Arrays) -> None:
    """Writes a message whole.

    Args:
        file: buffered, one writer at a time.
        header: what JSON can hold.
        arrays: by name, of numbers, or of bytes objects.

    Raises:
        OSError: when nobody reads any more.
    """
    parts: list[bytes | np.ndarray] = []
    described = []
    for name, array in arrays.items():
        if array.dtype == object:
            strings = array.ravel().tolist()
            described.append([name, None, array.shape, [len(string) for string in strings]])
            parts += strings
        else:
            described.append([name, array.dtype.str, array.shape, None])
            parts.append(np.ascontiguousarray(array).reshape(-1).view(np.uint8))
    head = json.dumps([header, described]).encode()
    file.write(_LENGTH.pack(len(head)) + head)
    for part in parts:
        file.write(part)
    file.flush()


def read_message(file: BinaryIO) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
    """Reads a message; None when there is no other.

    Args:
        file: buffered.

    Raises:
        EOFError: the message ends early.
    """
    length = file.read(_LENGTH.size)
    if not length:
        return None
    if len(length) < _LENGTH.size:
        raise EOFError
    header, described = json.loads(_read(file, _LENGTH.unpack(length)[0]))
    return header, {name: _read_array(file, *rest) for name, *rest in described}


def _read(file: BinaryIO, size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _read_array(file: BinaryIO, dtype: str | None, shape: list[int], lengths: list[int] | None) -> np.ndarray:
    if lengths is None:
        array = np.empty(shape, dtype)
        if file.readinto(array.reshape(-1).view(np.uint8)) < array.nbytes:
            raise EOFError
        return array
    strings = np.empty(len(lengths), object)
    strings[:] = [_read(file, length) for length in lengths]
    return strings.reshape(shape)
