"""A model's signatures, and the check of a request's inputs against them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from kind.errors import UserError
from kind.export.contract import IMAGE_INPUTS
from kind.images.header import read_size
from kind.serving.errors import echoed
from kind.serving.limits import LONGEST_NAME
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.tensor_protos import type_name

DEFAULT_SIGNATURE = "serving_default"
_INITIALIZATION = "__saved_model_init_op"

Entry = TypeVar("Entry")


class Tensor(NamedTuple):
    """One input or output.

    Attributes:
        dtype: TensorFlow's name of the type, such as "float32" or "string".
        shape: with None where any size goes; None for any rank.
    """

    dtype: str
    shape: Sequence[int | None] | None


class Signature:
    """A signature's inputs and outputs by name, from its `SignatureDef`."""

    def __init__(self, name: str, definition) -> None:
        """Reads the definition.

        Args:
            name: such as "serving_default".
            definition: `tensorflow.SignatureDef`.
        """
        self.name = name
        self.method_name = definition.method_name
        self.inputs = {key: _tensor(info) for key, info in definition.inputs.items()}
        self.outputs = {key: _tensor(info) for key, info in definition.outputs.items()}

    def check(self, inputs: Mapping[str, np.ndarray], max_pixels: int) -> int:
        """Checks inputs against the signature, before any work is done.

        Args:
            inputs: arrays by name; strings as arrays of bytes objects.
            max_pixels: of all images of the request together.

        Returns:
            How many rows they have: the size of the batch dimension.

        Raises:
            ServingError: names, types, shapes or sizes do not fit.
        """
        if set(inputs) != set(self.inputs):
            raise bad_request(
                f"signature {self.name!r} expects the inputs {', '.join(sorted(self.inputs))}; "
                f"received {echoed(', '.join(sorted(inputs))) or 'none'}"
            )
        for name, array in inputs.items():
            self._check_one(name, array)
        rows = {array.shape[0] for array in inputs.values()}
        if len(rows) > 1 or not min(rows, default=0):
            sizes = ", ".join(f"{name} {array.shape[0]}" for name, array in sorted(inputs.items()))
            raise bad_request(
                f"the inputs expect one and the same batch size of 1 or more, received {sizes or 'none'}"
            )
        pixels = sum(_pixels(name, array, self.inputs[name]) for name, array in inputs.items())
        if pixels > max_pixels:
            raise bad_request(
                f"{pixels} pixels in one request; the limit is {max_pixels}: send fewer or smaller images"
            )
        return rows.pop()

    def _check_one(self, name: str, array: np.ndarray) -> None:
        expected = self.inputs[name]
        dtype = "string" if array.dtype == object else array.dtype.name
        if dtype != expected.dtype:
            raise bad_request(f"input {name!r} expects {expected.dtype}, received {dtype}")
        shape = expected.shape
        fits = shape is None or (
            len(shape) == array.ndim and all(a in (None, b) for a, b in zip(shape, array.shape))
        )
        if not fits or array.ndim < 1:
            wanted = "a batch dimension" if shape is None else _shape_text(shape)
            raise bad_request(f"input {name!r} expects {wanted}, received {_shape_text(array.shape)}")


def signatures_of(definitions: Mapping) -> dict[str, Signature]:
    """Those that can be run, by name, from the `SignatureDef`s of a SavedModel by name."""
    return {name: Signature(name, each) for name, each in definitions.items() if name != _INITIALIZATION}


def _tensor(info) -> Tensor:
    shape = None
    if not info.tensor_shape.unknown_rank:
        shape = tuple(None if dim.size < 0 else dim.size for dim in info.tensor_shape.dim)
    return Tensor(type_name(info.dtype), shape)


def _shape_text(shape: tuple[int | None, ...]) -> str:
    return f"shape [{', '.join('any' if size is None else str(size) for size in shape)}]"


def _pixels(name: str, array: np.ndarray, expected: Tensor) -> int:
    """How many pixels an input stands for; files without a readable header are left to the model."""
    if expected.dtype != "string":
        return int(np.prod(array.shape[:3], dtype=np.int64)) if array.ndim == 4 else 0
    if name not in IMAGE_INPUTS:
        return 0
    total = 0
    for data in array.ravel():
        with contextlib.suppress(UserError):
            width, height = read_size(data)
            total += width * height
    return total


def check_rows(rows: int, largest: int) -> None:
    """Raises ServingError when a request has more rows than the limit."""
    if rows > largest:
        raise bad_request(f"{rows} rows in one request; the limit is {largest}: send several requests")


def signature_named(signatures: Mapping[str, Entry], name: str) -> Entry:
    """The entry of a signature, "" being `serving_default`; ServingError when there is none.

    One without an entry is FAILED_PRECONDITION, as in TensorFlow Serving; a name beyond the limit, which no
    signature has, is INVALID_ARGUMENT.
    """
    name = name or DEFAULT_SIGNATURE
    if len(name) > LONGEST_NAME:
        raise bad_request(f"a name of a signature has at most {LONGEST_NAME} characters")
    if name not in signatures:
        raise ServingError(
            "FAILED_PRECONDITION",
            f'Serving signature key "{echoed(name)}" not found. '
            f"The model has {', '.join(sorted(signatures))}",
            http_status=400,
        )
    return signatures[name]
