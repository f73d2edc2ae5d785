"""Writes arrays as JSON by the rules of TensorFlow Serving's REST API, piece by piece as they are read."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

import numpy as np

from kind.serving.server.errors import ServingError
from kind.serving.server.json_tensors import COLUMN

_BYTES_SUFFIX = "_bytes"
_ROWS_AND_COLUMNS = 2
_PIECE = 3 << 20  # bytes, a multiple of 3


def json_answer(outputs: Mapping[str, np.ndarray], form: str) -> bytes:
    """Makes the JSON object that answers a predict request.

    Args:
        outputs: arrays by name; strings as bytes objects. Those whose name ends in `_bytes` become
            `{"b64": …}`, other strings text.
        form: of the request, see `inputs_of`. Rows need the batch dimension in every output. A single output
            loses its name.

    Raises:
        ServingError: an output cannot be written in this form, or holds numbers that JSON lacks.
    """
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ServingError("FAILED_PRECONDITION", f"output {name!r} holds NaN or infinity: use gRPC")
    if form == COLUMN:
        texts = {name: _text(name, array) for name, array in outputs.items()}
        content = _object(texts) if len(texts) > 1 else next(iter(texts.values()))
        return f'{{"outputs": {content}}}'.encode()
    sizes = {array.shape[0] if array.ndim else None for array in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise ServingError("FAILED_PRECONDITION", "an output has no batch dimension: send 'inputs' instead")
    rows = [{name: _text(name, array[row]) for name, array in outputs.items()} for row in range(sizes.pop())]
    texts = [_object(row) if len(row) > 1 else next(iter(row.values())) for row in rows]
    return f'{{"predictions": [{", ".join(texts)}]}}'.encode()


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in texts.items()) + "}"


def _text(name: str, value: np.ndarray | np.generic | bytes) -> str:
    """The JSON of an array or of one value of it."""
    if isinstance(value, bytes):
        if name.endswith(_BYTES_SUFFIX):
            # In pieces, because other threads wait while Python converts one.
            pieces = [base64.b64encode(value[at : at + _PIECE]) for at in range(0, len(value), _PIECE)]
            return f'{{"b64": "{b"".join(pieces).decode("ascii")}"}}'
        return json.dumps(value.decode("utf-8", "replace"))
    if value.ndim > _ROWS_AND_COLUMNS or (value.ndim and value.dtype == object):
        return "[" + ", ".join(_text(name, part) for part in value) + "]"
    return json.dumps(value.tolist()) if value.dtype != object else _text(name, value.item())
