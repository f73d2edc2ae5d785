"""The body of an HTTP request: received within limits, and taken apart where it is a form with files."""

from __future__ import annotations

import re
from typing import NamedTuple

import aiohttp
from aiohttp import web

from kind.serving.errors import echoed
from kind.serving.limits import Limits
from kind.serving.server.calls import Call
from kind.serving.server.errors import ServingError, bad_request

_MOST_PARTS = 32
_LONGEST_HEAD, _LONGEST_FIELD = 8192, 1000
_STEP = 1 << 20  # bytes
_NAME = re.compile(rb'content-disposition:[^\r\n]*?[;\s]name="([^"\r\n]*)"', re.IGNORECASE)
_IS_FILE = re.compile(rb"content-disposition:[^\r\n]*?[;\s]filename\*?=", re.IGNORECASE)


class Form(NamedTuple):
    """What a form holds.

    Attributes:
        files: their bytes, in order.
        fields: the other parts as text, by name.
    """

    files: list[bytes]
    fields: dict[str, str]


async def read_body(request: web.BaseRequest, limits: Limits, call: Call) -> bytes:
    """Receives the body of a request.

    Args:
        request: whose header is read.
        limits: of bytes, and of silence between two parts.
        call: of the request; it counts the bytes.

    Raises:
        ServingError: it is too large, too slow or damaged, or all bodies together are too large.
    """
    # Not `request.read()`, which keeps the body for as long as the request lives. Parts are joined last:
    # an array that grows with each is copied nine times on its way.
    parts, size = [], 0
    if (request.content_length or 0) > limits.request_bytes:
        raise _too_large(limits.request_bytes)
    if request.headers.get("Expect"):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # nothing of the answer is sent yet
    call.expect()
    try:
        while not request.content.at_eof():
            part = request.content.readany()
            part = await call.in_time(part, "the request did not arrive", limits.silence)
            size += len(part)
            if size > limits.request_bytes:
                raise _too_large(limits.request_bytes)
            call.hold(len(part))
            parts.append(part)
    except (aiohttp.ClientPayloadError, web.RequestPayloadError, ValueError) as error:
        # aiohttp keeps the error, which leads to this frame and so to the body.
        parts.clear()
        raise bad_request(f"the body cannot be read: {echoed(str(error))}") from error.with_traceback(None)
    call.is_arriving = False
    return await call.compute(size, b"".join, parts)


def parse_form(body: bytes, content_type: str) -> Form:
    """Takes a `multipart/form-data` body apart (RFC 7578).

    Args:
        body: all of it.
        content_type: the header of that name, with the boundary.

    Raises:
        ServingError: it is no such form, or has more than 32 parts.
    """
    found = re.search(r'boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))', content_type, re.IGNORECASE)
    if found is None:
        raise bad_request("multipart/form-data expects a boundary in the header Content-Type")
    delimiter = b"\r\n--" + (found[1] or found[2]).encode("latin-1", "replace")
    if not body.startswith(delimiter[2:]):
        raise bad_request("the form expects its boundary first")
    form, start = Form([], {}), len(delimiter) - 2
    for _ in range(_MOST_PARTS):
        end = _found(delimiter, body, start)
        if end < 0:
            raise bad_request("the form expects its boundary after each part")
        _read_part(body, start, end, form)
        start = end + len(delimiter)
        if body[start : start + 2] == b"--":
            return form
    raise bad_request(f"the form has more than {_MOST_PARTS} parts")


def _read_part(body: bytes, start: int, end: int, form: Form) -> None:
    head, blank, _ = bytes(body[start : min(end, start + _LONGEST_HEAD)]).partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if not blank or name is None:
        raise bad_request('a part of the form expects Content-Disposition: form-data; name="…"')
    with memoryview(body) as view:
        content = bytes(view[start + len(head) + len(blank) : end])
    if _IS_FILE.search(head):
        form.files.append(content)
    else:
        form.fields[name[1].decode("utf-8", "replace")] = content[:_LONGEST_FIELD].decode("utf-8", "replace")


def _found(delimiter: bytes, body: bytes, start: int) -> int:
    """Where the delimiter is next, -1 for nowhere; others run in between, since each step is short."""
    for begin in range(start, len(body), _STEP):
        place = body.find(delimiter, begin, begin + _STEP + len(delimiter))
        if place >= 0:
            return place
    return -1


def _too_large(limit: int) -> ServingError:
    return ServingError("INVALID_ARGUMENT", f"a request has at most {limit} bytes", http_status=413)
