"""Converts JSON to arrays and back by the rules of TensorFlow Serving's REST API."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from kind.serving.errors import echoed
from kind.serving.json_text import read_json
from kind.serving.limits import Limits
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.signatures import Tensor, check_rows
from kind.serving.server.tensor_protos import NUMBERS

ROW, COLUMN = "instances", "inputs"
_KINDS = {"b": "bool", "i": "integers", "u": "integers", "f": "decimals"}
_BYTES_SUFFIX = "_bytes"
_ROWS_AND_COLUMNS = 2
_PIECE = 3 << 20  # bytes, a multiple of 3


def parse_body(body: bytes) -> dict[str, Any]:
    """Reads a request's JSON object.

    Raises:
        ServingError: when it is none.
    """
    try:
        content = read_json(body)
    except ValueError as error:  # also of bytes that are no UTF-8
        raise bad_request(f"JSON Parse error: {echoed(str(error))}") from error
    if not isinstance(content, dict):
        raise bad_request("JSON Value: expects an object with the key 'instances' or 'inputs'")
    return content


def signature_name(content: Mapping[str, Any]) -> str:
    """The signature that a request names, or "" for the default one; ServingError when it is no string."""
    name = content.get("signature_name", "")
    if not isinstance(name, str):
        raise bad_request("'signature_name' key must be a string value")
    return name


def inputs_of(
    content: Mapping[str, Any], expected: Mapping[str, Tensor], most_rows: int = Limits.rows
) -> tuple[str, dict[str, np.ndarray]]:
    """Reads the inputs of a predict request.

    Args:
        content: see `parse_body`.
        expected: inputs of the signature.
        most_rows: largest batch size.

    Returns:
        The format, `ROW` or `COLUMN`, and the arrays by name.

    Raises:
        ServingError: the JSON does not hold what the signature expects.
    """
    formats = [key for key in (ROW, COLUMN) if key in content]
    if len(formats) != 1:
        raise bad_request("expects exactly one of the keys 'instances' (rows) and 'inputs' (columns)")
    values = (_rows if formats == [ROW] else _columns)(content[formats[0]], expected)
    unknown = sorted(set(values) - set(expected))
    if unknown:
        wanted = ", ".join(sorted(expected))
        name = echoed(unknown[0])
        raise bad_request(f"JSON object: does not have named input: {name}; expects {wanted}")
    missing = sorted(set(expected) - set(values))
    if missing:
        raise bad_request(f"Missing named input: {missing[0]}")
    check_rows(
        max((len(value) for value in values.values() if isinstance(value, list)), default=0), most_rows
    )
    return formats[0], {name: _array(name, value, expected[name]) for name, value in values.items()}


def _rows(instances: Any, expected: Mapping[str, Tensor]) -> dict[str, list]:
    if not isinstance(instances, list) or not instances:
        raise bad_request("'instances' expects a list with at least one instance")
    if not _is_named(instances[0]):
        if len(expected) != 1:
            raise bad_request(f"'instances' expects objects with the inputs {', '.join(sorted(expected))}")
        return {next(iter(expected)): instances}
    if not all(
        isinstance(instance, dict) and instance.keys() == instances[0].keys() for instance in instances
    ):
        raise bad_request("'instances' expects objects that all have the same inputs")
    return {name: [instance[name] for instance in instances] for name in instances[0]}


def _columns(inputs: Any, expected: Mapping[str, Tensor]) -> dict[str, Any]:
    if _is_named(inputs):
        return inputs
    if len(expected) != 1:
        raise bad_request(f"'inputs' expects an object with {', '.join(sorted(expected))}")
    return {next(iter(expected)): inputs}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _array(name: str, value: Any, expected: Tensor) -> np.ndarray:
    try:
        is_text = expected.dtype == "string"
        return _text_array(value) if is_text else _number_array(value, expected.dtype)
    except ServingError as error:
        raise bad_request(f"input {name!r}: {error.message}") from error
    except RecursionError as error:
        raise bad_request(f"input {name!r}: nested too deeply") from error
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise bad_request(f"input {name!r}: not a tensor of {expected.dtype}: {reason}") from error


def _text_array(value: Any) -> np.ndarray:
    flat: list[bytes] = []
    shape = _flatten(value, flat)
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(shape)


def _flatten(value: Any, flat: list[bytes]) -> tuple[int, ...]:
    if not isinstance(value, list):
        flat.append(_bytes(value))
        return ()
    shapes = [_flatten(element, flat) for element in value]
    if len(set(shapes)) > 1:
        raise bad_request("the lists in it have different sizes")
    return (len(value), *(shapes[0] if shapes else ()))


def _bytes(value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8")
    if not _is_base64(value):
        raise bad_request(f'expects text or {{"b64": "…"}}, received {type(value).__name__}')
    text = "".join(value["b64"].split()).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_request("Unable to base64 decode") from error


def _number_array(value: Any, dtype: str) -> np.ndarray:
    if dtype not in NUMBERS:
        raise ServingError("UNIMPLEMENTED", f"{dtype} cannot be sent as JSON")
    # In an array of text each place would be as wide as the longest text.
    if str in set(map(type, np.array(value, object).flat)):
        raise bad_request(f"expects {dtype}, received text")
    array, wanted = np.array(value), np.dtype(dtype)
    allowed = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[wanted.kind]
    if array.size and array.dtype.kind not in allowed:
        kind = _KINDS.get(array.dtype.kind, "something else")
        raise bad_request(f"expects {dtype}, received {kind}")
    if array.size and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise bad_request(f"a number is out of {dtype}'s range")
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    if wanted.kind == "f" and not np.isfinite(converted).all():
        raise bad_request(f"a number is out of {dtype}'s range")
    return converted


def json_answer(outputs: Mapping[str, np.ndarray], form: str) -> bytes:
    """Makes the JSON object that answers a predict request, piece by piece as the outputs are read.

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
