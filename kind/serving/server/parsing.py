"""Reads requests, JSON and messages of gRPC: small ones here, large ones in a process of their own.

Python runs one thread at a time. Some megabytes can take a second in one call into C, in which nobody else
would be answered, and stand for gigabytes of objects, which Python would keep.
"""

from __future__ import annotations

import gc
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError

from kind.serving.limits import LONGEST_NAME
from kind.serving.protos import predict_pb2
from kind.serving.server.calls import Call
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.json_tensors import inputs_of, parse_body, signature_name
from kind.serving.server.processes import Child, ChildEnded, answer_calls, resident
from kind.serving.server.signatures import DEFAULT_SIGNATURE, Signature, Tensor, check_rows, signature_named
from kind.serving.server.tensor_protos import MOST_EXPANDED, array_bytes, array_of
from kind.serving.server.threads import OneAtATime, bytes_in
from kind.serving.wire import Arrays

_LARGE = 1 << 20  # bytes
_MANY = 1 << 11  # values of JSON, each an object of Python
_MOST_INPUTS = _MOST_OUTPUTS = 64
_LATE = "the request was not read"
_MOST_KEPT = 128 << 20  # bytes of memory with which the process stays


class Request(NamedTuple):
    """What a request asks for.

    Attributes:
        signature: its name.
        form: see `inputs_of`.
        inputs: arrays by name.
    """

    signature: str
    form: str
    inputs: dict[str, np.ndarray]


def read_request(body: bytes, signatures: Mapping[str, Mapping[str, Tensor]], most_rows: int) -> Request:
    """Reads the JSON of a predict request.

    Args:
        body: the text.
        signatures: inputs of those of the version.
        most_rows: largest batch size.

    Raises:
        ServingError: it is no JSON, names no signature, or does not hold what the signature expects.
    """
    content = parse_body(body)
    name = signature_name(content) or DEFAULT_SIGNATURE
    return Request(name, *inputs_of(content, signature_named(signatures, name), most_rows))


class ModelSpec(NamedTuple):
    """The model, version and signature that a request names; "" and None stand for the default."""

    name: str
    version: int | None = None
    label: str | None = None
    signature: str = ""


class Message(NamedTuple):
    """What a message of gRPC asks for.

    Attributes:
        spec: of the model.
        wanted: names of outputs; none for all.
        inputs: arrays by name.
    """

    spec: ModelSpec
    wanted: list[str]
    inputs: dict[str, np.ndarray]


def read_message(data: bytes, most_rows: int) -> Message:
    """Reads a `PredictRequest`.

    Args:
        data: the message.
        most_rows: largest batch size, whatever the message holds.

    Raises:
        ServingError: it is none, or its inputs are no tensors of a known type and size.
    """
    request = parsed(predict_pb2.PredictRequest, data)
    bytes_of_inputs(request, len(data), most_rows)
    return _message_of(request)


def bytes_of_inputs(request, size: int, most_rows: int) -> int:
    """How many bytes the arrays of a `PredictRequest` will have, before one of them is made.

    Args:
        request: the message.
        size: bytes of it.
        most_rows: see `read_message`.

    Raises:
        ServingError: the inputs are too many, too large, or no tensors.
    """
    if len(request.inputs) > _MOST_INPUTS:
        raise bad_request(f"{len(request.inputs)} inputs in one request; the limit is {_MOST_INPUTS}")
    if len(request.output_filter) > _MOST_OUTPUTS:
        raise bad_request(f"{len(request.output_filter)} outputs asked for; the limit is {_MOST_OUTPUTS}")
    protos = request.inputs.values()
    shapes = [proto.tensor_shape.dim for proto in protos]
    check_rows(max((shape[0].size for shape in shapes if shape), default=0), most_rows)
    check_rows(max((len(proto.string_val) for proto in protos), default=0), most_rows)
    expanded = sum(array_bytes(name, proto) for name, proto in request.inputs.items())
    if expanded > max(MOST_EXPANDED, 2 * size):
        raise bad_request(f"the inputs are too large: {expanded} bytes in all")
    return expanded


def _message_of(request) -> Message:
    inputs = {name: array_of(name, proto) for name, proto in request.inputs.items()}
    return Message(spec_of(request.model_spec), list(request.output_filter), inputs)


def parsed(kind: type, data: bytes):
    """A message of that kind; ServingError when the bytes are none."""
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise bad_request(f"not a {kind.DESCRIPTOR.name}") from error


def spec_of(message) -> ModelSpec:
    """What a `tensorflow.serving.ModelSpec` names; ServingError when a name is long."""
    if max(map(len, (message.name, message.version_label, message.signature_name))) > LONGEST_NAME:
        raise bad_request(f"a name of a model, label or signature has at most {LONGEST_NAME} characters")
    choice = message.WhichOneof("version_choice")
    return ModelSpec(
        message.name,
        message.version.value if choice == "version" else None,
        message.version_label if choice == "version_label" else None,
        message.signature_name,
    )


class Parser:
    """Reads requests; the large ones, one after another, in a process."""

    def __init__(self, most_rows: int, seconds: float) -> None:
        """Limits: rows of a request, and seconds for reading it, whatever its sender's deadline is."""
        self._most_rows, self._seconds = most_rows, seconds
        self._thread = ThreadPoolExecutor(1, "parser")
        self._large = OneAtATime(self._thread)
        self._child: Child | None = None

    async def read(self, body: bytes, signatures: Mapping[str, Signature], call: Call) -> Request:
        """See `read_request`; ServingError also when `call` is late."""
        expected = {name: signature.inputs for name, signature in signatures.items()}
        if len(body) < _LARGE and _values_in(body) < _MANY:
            return await call.compute(len(body), read_request, body, expected, self._most_rows, late=_LATE)
        return Request(*await self._read_large(call, body, {"signatures": expected}))

    async def read_message(self, data: bytes, call: Call) -> Message:
        """See the function of that name; ServingError also when `call` is late."""
        if len(data) < _LARGE:
            request = await call.compute(len(data), parsed, predict_pb2.PredictRequest, data, late=_LATE)
            # One number may stand for all of an array: what is held are the arrays.
            size = bytes_of_inputs(request, len(data), self._most_rows)
            call.hold(max(size - len(data), 0))
            return await call.compute(max(size, len(data)), _message_of, request, late=_LATE)
        spec, *rest = await self._read_large(call, data, {})
        return Message(ModelSpec(*spec), *rest)

    def stop(self) -> None:
        """Ends the process."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._child:
            self._child.close()

    async def _read_large(self, call: Call, data: bytes, header: dict[str, Any]) -> tuple:
        reading = self._large.call(self._ask, data, {**header, "rows": self._most_rows})
        answer = await call.in_time(reading, _LATE)
        call.hold(max(bytes_in(answer[-1]) - len(data), 0))
        return answer

    def _ask(self, data: bytes, header: dict[str, Any]) -> tuple:
        if self._child is None or self._child.has_ended:
            try:
                self._child = Child(__name__)
            except OSError as error:  # no file handle, or no memory
                raise ServingError("UNAVAILABLE", "the request cannot be read now") from error
        arrays = {"body": np.frombuffer(data, np.uint8)}
        try:
            header, inputs = self._child.call(header, arrays, self._seconds)
        except ServingError:
            self._child.kill()  # it may hold the objects of millions of lists
            raise
        except ChildEnded as ended:
            raise ServingError("RESOURCE_EXHAUSTED", f"reading the request failed ({ended})") from ended
        if resident(self._child.pid) > _MOST_KEPT:
            self._child.kill()
        return *header["asked"], inputs


def _values_in(body: bytes) -> int:
    """How many values a text of JSON has, or more."""
    letters = np.frombuffer(body, np.uint8)
    return sum(int(np.count_nonzero(letters == letter)) for letter in b'[{,"')


def _answer(header: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    body, rows = arrays["body"].tobytes(), header["rows"]
    if "signatures" in header:
        signatures = {
            name: {key: Tensor(*tensor) for key, tensor in inputs.items()}
            for name, inputs in header["signatures"].items()
        }
        *asked, inputs = read_request(body, signatures, rows)
    else:
        *asked, inputs = read_message(body, rows)
    return {"asked": asked}, inputs


def main() -> None:
    """The process's life."""
    gc.disable()  # takes longer than reading millions of lists
    answer_calls(_answer)
