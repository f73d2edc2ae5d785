"""Converts TensorProto messages to arrays and back, without trusting their sizes."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto

from kind.serving.errors import echoed
from kind.serving.server.errors import bad_request

_MOST_DIMENSIONS = 8
_MOST_EXPANDED = 1 << 28


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
    label = f"{what} {echoed(name)!r}"
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_shape.unknown_rank or len(shape) > _MOST_DIMENSIONS or any(size < 0 for size in shape):
        raise bad_request(f"{label}: not a tensor: expects up to {_MOST_DIMENSIONS} sizes from 0 on")
    try:
        dtype = tf.as_dtype(proto.dtype)
        count = math.prod(shape)
        if dtype == tf.string and len(proto.string_val) != count:
            # TensorFlow repeats the last one: a few bytes would stand for millions of images.
            raise bad_request(
                f"{label}: shape {shape} declares {count} strings, received {len(proto.string_val)}"
            )
        # One number may stand for all, so a message of some bytes can ask for any amount of memory.
        if count * dtype.size > max(_MOST_EXPANDED, 2 * proto.ByteSize()):
            raise bad_request(f"{label}: shape {shape} is too large")
        return tf.make_ndarray(proto)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise bad_request(f"{label}: not a tensor: {reason}") from error


def proto_of(array: np.ndarray) -> TensorProto:
    """Makes the message of an array; strings are arrays of bytes objects."""
    if array.dtype == object:
        proto = TensorProto(dtype=tf.string.as_datatype_enum, string_val=array.ravel().tolist())
        for size in array.shape:
            proto.tensor_shape.dim.add(size=size)
        return proto
    return tf.make_tensor_proto(array)
