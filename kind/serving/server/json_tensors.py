"""Converts JSON to arrays and back by the rules of TensorFlow Serving's REST API."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from kind.serving.server.errors import ServingError, bad_request, echoed
from kind.serving.server.signatures import Signature, Tensor

ROW, COLUMN = "instances", "inputs"

_BYTES_SUFFIX = "_bytes"
_LONGEST_INTEGER = 20
_MOST_LISTS, _MOST_VALUES = 1 << 21, 1 << 23  # enough for the pixels of 1920×1080


def parse_body(body: bytes) -> dict[str, Any]:
    """Reads a request's JSON object.

    Raises:
        ServingError: when it is none.
    """
    try:
        _check_values(body)
        content = json.loads(body, parse_int=_integer, parse_float=_decimal, parse_constant=_no_number)
    except RecursionError as error:
        raise bad_request("JSON Parse error: nested too deeply") from error
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


def inputs_of(content: Mapping[str, Any], signature: Signature) -> tuple[str, dict[str, np.ndarray]]:
    """Reads the inputs of a predict request.

    Args:
        content: see `parse_body`.
        signature: what the request is for.

    Returns:
        The format, `ROW` or `COLUMN`, and the arrays by name.

    Raises:
        ServingError: the JSON does not hold what the signature expects.
    """
    formats = [key for key in (ROW, COLUMN) if key in content]
    if len(formats) != 1:
        raise bad_request("expects exactly one of the keys 'instances' (rows) and 'inputs' (columns)")
    values = (_rows if formats == [ROW] else _columns)(content[formats[0]], signature)
    unknown = sorted(set(values) - set(signature.inputs))
    if unknown:
        raise bad_request(f"JSON object: does not have named input: {echoed(unknown[0])}")
    missing = sorted(set(signature.inputs) - set(values))
    if missing:
        raise bad_request(f"Missing named input: {missing[0]}")
    return formats[0], {name: _array(name, value, signature.inputs[name]) for name, value in values.items()}


def response_of(outputs: Mapping[str, np.ndarray], format: str) -> dict[str, Any]:
    """Makes the JSON object that answers a predict request.

    Args:
        outputs: arrays by name; strings as bytes objects. Those whose name ends in `_bytes` become
            `{"b64": …}`, other strings text.
        format: of the request. Rows need the batch dimension in every output. A single output loses its name.

    Raises:
        ServingError: an output cannot be written in this format.
    """
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ServingError("FAILED_PRECONDITION", f"output {name!r} holds NaN or infinity: use gRPC")
    values = {name: _json_value(name, array) for name, array in outputs.items()}
    if format == COLUMN:
        return {"outputs": next(iter(values.values())) if len(values) == 1 else values}
    sizes = {array.shape[0] if array.ndim else None for array in outputs.values()}
    if len(sizes) != 1 or None in sizes:
        raise ServingError("FAILED_PRECONDITION", "an output has no batch dimension: send 'inputs' instead")
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    return {"predictions": [dict(zip(values, row)) for row in zip(*values.values())]}


def _check_values(body: bytes) -> None:
    """Raises ServingError when a text holds so many values that reading them would stop everything else."""
    text = np.frombuffer(body, np.uint8)
    for letters, most, what in ((b"[{", _MOST_LISTS, "lists and objects"), (b",", _MOST_VALUES, "values")):
        count = sum(int(np.count_nonzero(text == letter)) for letter in letters)
        if count > most:
            raise bad_request(f"more than {most} {what} in one request: send image files, or gRPC")


# These two are Python, so that other threads have their turn while a long text is read.
def _decimal(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _integer(text: str) -> int:
    # Reading an integer of millions of digits takes minutes.
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"integer of {len(text)} digits")
    return int(text)


def _rows(instances: Any, signature: Signature) -> dict[str, list]:
    if not isinstance(instances, list) or not instances:
        raise bad_request("'instances' expects a list with at least one instance")
    if not _is_named(instances[0]):
        if len(signature.inputs) != 1:
            raise bad_request(
                f"'instances' expects objects with the inputs {', '.join(sorted(signature.inputs))}"
            )
        return {next(iter(signature.inputs)): instances}
    if not all(
        isinstance(instance, dict) and instance.keys() == instances[0].keys() for instance in instances
    ):
        raise bad_request("'instances' expects objects that all have the same inputs")
    return {name: [instance[name] for instance in instances] for name in instances[0]}


def _columns(inputs: Any, signature: Signature) -> dict[str, Any]:
    if _is_named(inputs):
        return inputs
    if len(signature.inputs) != 1:
        raise bad_request(f"'inputs' expects an object with {', '.join(sorted(signature.inputs))}")
    return {next(iter(signature.inputs)): inputs}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and not _is_base64(value)


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _array(name: str, value: Any, expected: Tensor) -> np.ndarray:
    try:
        return _text_array(value) if expected.is_text else _number_array(value, expected.dtype)
    except ServingError as error:
        raise bad_request(f"input {name!r}: {error.message}") from error
    except RecursionError as error:
        raise bad_request(f"input {name!r}: nested too deeply") from error
    except (ValueError, TypeError, OverflowError) as error:
        reason = " ".join(str(error).split())[:200]
        raise bad_request(f"input {name!r}: not a tensor of {expected.dtype.name}: {reason}") from error


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


def _number_array(value: Any, dtype: tf.DType) -> np.ndarray:
    array = np.array(value)
    wanted = np.dtype(dtype.as_numpy_dtype)
    if wanted.kind not in "biuf":
        raise ServingError("UNIMPLEMENTED", f"{dtype.name} cannot be sent as JSON")
    allowed = {"b": "b", "i": "iu", "u": "iu", "f": "iuf"}[wanted.kind]
    if array.size and array.dtype.kind not in allowed:
        raise bad_request(f"expects {dtype.name}, received {_kind_of(array)}")
    if array.size and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        if int(array.min()) < limits.min or int(array.max()) > limits.max:
            raise bad_request(f"a number is out of {dtype.name}'s range")
    with np.errstate(over="ignore"):
        converted = array.astype(wanted)
    if wanted.kind == "f" and not np.isfinite(converted).all():
        raise bad_request(f"a number is out of {dtype.name}'s range")
    return converted


def _kind_of(array: np.ndarray) -> str:
    return {"b": "bool", "i": "integers", "u": "integers", "f": "decimals", "U": "text"}.get(
        array.dtype.kind, "something else"
    )


def _json_value(name: str, array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    as_bytes = name.endswith(_BYTES_SUFFIX)
    return _map_nested(
        array.tolist(),
        (lambda data: {"b64": base64.b64encode(data).decode("ascii")})
        if as_bytes
        else (lambda data: data.decode("utf-8", "replace")),
    )


def _map_nested(value: Any, function) -> Any:
    return [_map_nested(one, function) for one in value] if isinstance(value, list) else function(value)
