"""Reads the JSON of requests: small ones here, large ones in a process of their own.

Python runs one thread at a time. A text of some megabytes can take parts of seconds in one call into C, in
which nobody else would be answered, and stand for gigabytes of objects, which Python would keep.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from kind.serving.child import answer_calls
from kind.serving.server.errors import ServingError
from kind.serving.server.json_tensors import inputs_of, parse_body, signature_name
from kind.serving.server.processes import Child, ChildEnded
from kind.serving.server.signatures import Signature, Tensor, signature_named
from kind.serving.server.threads import call_in_thread_if_large
from kind.serving.wire import Arrays

try:
    import resource
except ImportError:  # Windows, which has no such measure
    resource = None

_LARGE = 1 << 20  # bytes
_MOST_KEPT = 200 << 10  # KiB of memory with which the process stays


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


def read_request(
    body: bytes | bytearray, signatures: Mapping[str, Signature | _Expected], most_rows: int
) -> Request:
    """Reads the JSON of a predict request.

    Args:
        body: the text.
        signatures: those of the version.
        most_rows: largest batch size.

    Raises:
        ServingError: it is no JSON, names no signature, or does not hold what the signature expects.
    """
    content = parse_body(body)
    name = signature_name(content)
    signature = signature_named(signatures, name)
    return Request(signature.name, *inputs_of(content, signature, most_rows))


class Parser:
    """Reads requests, the large ones one after another in a process."""

    def __init__(self, most_rows: int, seconds: float) -> None:
        """Limits: `most_rows` of a request, and `seconds` for reading it."""
        self._most_rows, self._seconds = most_rows, seconds
        self._thread = ThreadPoolExecutor(1, "parser")
        self._child: Child | None = None

    async def read(self, body: bytearray, signatures: Mapping[str, Signature]) -> Request:
        """See `read_request`."""
        if len(body) < _LARGE:
            return await call_in_thread_if_large(len(body), read_request, body, signatures, self._most_rows)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._call, body, signatures)

    def stop(self) -> None:
        """Ends the process."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        if self._child:
            self._child.close()

    def _call(self, body: bytearray, signatures: Mapping[str, Signature]) -> Request:
        expected = {name: list(signature.inputs.items()) for name, signature in signatures.items()}
        header = {"signatures": expected, "rows": self._most_rows}
        if self._child is None or self._child.has_ended:
            self._child = Child(__name__)
        try:
            header, inputs = self._child.call(header, {"body": np.frombuffer(body, np.uint8)}, self._seconds)
        except ServingError:
            self._child.kill()  # it may hold the objects of millions of lists
            raise
        except ChildEnded as ended:
            raise ServingError("RESOURCE_EXHAUSTED", f"reading the request failed ({ended})") from ended
        if header["memory"] > _MOST_KEPT:
            self._child.kill()
        return Request(header["signature"], header["form"], inputs)


class _Expected(NamedTuple):
    """The part of a signature that is needed here."""

    name: str
    inputs: dict[str, Tensor]


def _answer(header: dict[str, Any], arrays: Arrays) -> tuple[dict[str, Any], Arrays]:
    signatures = {
        name: _Expected(name, {key: Tensor(*tensor) for key, tensor in inputs})
        for name, inputs in header["signatures"].items()
    }
    request = read_request(arrays["body"].tobytes(), signatures, header["rows"])
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if resource else 0
    return {"signature": request.signature, "form": request.form, "memory": memory}, request.inputs


def main() -> None:
    """The process's life."""
    gc.disable()  # takes longer than reading millions of lists
    answer_calls(_answer)
