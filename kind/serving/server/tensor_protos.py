"""Converts TensorProto messages to arrays and back, without trusting their sizes; needs no TensorFlow."""

from __future__ import annotations

import math

import numpy as np

from kind.serving.errors import echoed
from kind.serving.protos import DT_STRING, DataType, TensorProto
from kind.serving.server.errors import ServingError, bad_request

_MOST_DIMENSIONS = 8
MOST_EXPANDED = 1 << 28
"""Bytes of arrays that a message may stand for, if it is not half as large itself."""
_AT_ONCE = 1 << 16  # numbers; while Python converts them, all other threads wait

_NAMES = {"float": "float32", "double": "float64", "half": "float16"}
NUMBERS = {
    **dict.fromkeys(("int32", "int16", "int8", "uint16", "uint8"), "int_val"),
    **{"float32": "float_val", "float64": "double_val", "float16": "half_val", "bool": "bool_val"},
    **{"int64": "int64_val", "uint32": "uint32_val", "uint64": "uint64_val"},
}
"""The types of numbers that are taken, each with the field of TensorProto that holds them."""


def type_name(number: int) -> str:
    """TensorFlow's name of a type, such as "float32"; ValueError for a number that is none."""
    name = DataType.Name(number).removeprefix("DT_").lower()
    return _NAMES.get(name, name)


def array_of(name: str, proto: TensorProto, what: str = "input") -> np.ndarray:
    """Reads a tensor that somebody sent.

    Args:
        name: of the tensor, for messages.
        proto: any tensor, whole or not.
        what: it is, for messages.

    Returns:
        An array; strings as bytes objects.

    Raises:
        ServingError: the message is no tensor of a known type and size.
    """
    # One number may stand for all, so a message of some bytes can ask for any amount of memory.
    if array_bytes(name, proto, what) > max(MOST_EXPANDED, 2 * proto.ByteSize()):
        raise bad_request(f"{what} {echoed(name)!r}: shape {_shape(proto)} is too large")
    shape = _shape(proto)
    try:
        if proto.dtype == DT_STRING:
            strings = np.empty(len(proto.string_val), object)
            strings[:] = list(proto.string_val)
            return strings.reshape(shape)
        return _numbers(proto, np.dtype(type_name(proto.dtype)), math.prod(shape)).reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_tensor(name, what, error) from error


def array_bytes(name: str, proto: TensorProto, what: str = "input") -> int:
    """How many bytes the array of a tensor will have, without making it; see `array_of`."""
    label, dimensions = f"{what} {echoed(name)!r}", proto.tensor_shape.dim
    is_known = not proto.tensor_shape.unknown_rank and len(dimensions) <= _MOST_DIMENSIONS
    if not is_known or any(dimension.size < 0 for dimension in dimensions):
        raise bad_request(f"{label}: not a tensor: expects up to {_MOST_DIMENSIONS} sizes from 0 on")
    shape = _shape(proto)
    count = math.prod(shape)
    if proto.dtype == DT_STRING:
        if len(proto.string_val) != count:
            # TensorFlow repeats the last one: a few bytes would stand for millions of images.
            raise bad_request(
                f"{label}: shape {shape} declares {count} strings, received {len(proto.string_val)}"
            )
        return proto.ByteSize()
    try:
        dtype = type_name(proto.dtype)
        if dtype not in NUMBERS:
            raise ValueError(f"numbers of type {dtype} are not taken")
    except ValueError as error:
        raise _no_tensor(name, what, error) from error
    return count * np.dtype(dtype).itemsize


def _shape(proto: TensorProto) -> list[int]:
    return [dim.size for dim in proto.tensor_shape.dim]


def _no_tensor(name: str, what: str, error: Exception) -> ServingError:
    return bad_request(f"{what} {echoed(name)!r}: not a tensor: {' '.join(str(error).split())[:200]}")


def _numbers(proto: TensorProto, dtype: np.dtype, count: int) -> np.ndarray:
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype).copy()
    values = getattr(proto, NUMBERS[dtype.name])
    if len(values) > count:
        raise ValueError(f"{len(values)} numbers where the shape has {count}")
    stored = np.dtype(np.uint16) if dtype == np.float16 else dtype
    array = np.zeros(count, stored)
    for start in range(0, len(values), _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        array[start : start + len(part)] = np.fromiter(part, stored, len(part))
    if values:
        array[len(values) :] = array[len(values) - 1]  # the last one stands for all that follow
    return array.view(dtype)


def proto_of(array: np.ndarray) -> TensorProto:
    """Makes the message of an array; strings are arrays of bytes objects."""
    is_text = array.dtype == object
    try:
        name = "string" if is_text else array.dtype.name
        number = DataType.Value("DT_" + {new: old for old, new in _NAMES.items()}.get(name, name).upper())
    except ValueError as error:
        raise ServingError("UNIMPLEMENTED", f"{array.dtype.name} cannot be sent") from error
    proto = TensorProto(dtype=number)
    proto.tensor_shape.SetInParent()
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if is_text:
        proto.string_val.extend(array.ravel().tolist())
    elif array.size == 1 and name in NUMBERS or name == "bool":  # as TensorFlow writes them
        values = array.view(np.uint16) if name == "float16" else array
        getattr(proto, NUMBERS[name]).extend(values.ravel().tolist())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()
    return proto
