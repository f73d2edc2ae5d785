"""The body of an HTTP request: received within limits, and taken apart where it is a form with files."""

from __future__ import annotations

import asyncio
import re
import time
from typing import NamedTuple

import aiohttp
from aiohttp import web

from kind.serving.errors import echoed
from kind.serving.limits import Limits
from kind.serving.server.errors import ServingError, bad_request

_MOST_PARTS = 32
_LONGEST_HEAD = 8192
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


async def read_body(request: web.BaseRequest, limits: Limits) -> bytearray:
    """Receives the body of a request.

    Raises:
        ServingError: it is too large, too slow or damaged.
    """
    # Not `request.read()`, which keeps the body for as long as the request lives.
    body = bytearray()
    if (request.content_length or 0) > limits.request_bytes:
        raise _too_large(limits.request_bytes)
    if request.headers.get("Expect"):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # nothing of the answer is sent yet
    end = time.monotonic() + limits.seconds
    try:
        while not request.content.at_eof():
            left = end - time.monotonic()
            body += await asyncio.wait_for(request.content.readany(), max(min(left, limits.silence), 0))
            if len(body) > limits.request_bytes:
                raise _too_large(limits.request_bytes)
    except asyncio.TimeoutError:
        late = min(limits.seconds, limits.silence)
        raise ServingError("DEADLINE_EXCEEDED", f"the request did not arrive within {late:g} s") from None
    except (aiohttp.ClientPayloadError, web.RequestPayloadError, ValueError) as error:
        raise bad_request(f"the body cannot be read: {echoed(str(error))}") from error
    return body


def parse_form(body: bytes | bytearray, content_type: str) -> Form:
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
    parts = (b"\r\n" + body).split(delimiter, _MOST_PARTS + 1)
    if len(parts) > _MOST_PARTS + 1 or len(parts) < 3 or not parts[-1].startswith(b"--"):
        raise bad_request(f"the form expects 1 to {_MOST_PARTS} whole parts, each after its boundary")
    form = Form([], {})
    for part in parts[1:-1]:
        head, blank, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head[:_LONGEST_HEAD])
        if not blank or name is None:
            raise bad_request('a part of the form expects Content-Disposition: form-data; name="…"')
        if _IS_FILE.search(head[:_LONGEST_HEAD]):
            form.files.append(bytes(content))
        else:
            text = content[:_LONGEST_HEAD].decode("utf-8", "replace")
            form.fields[name[1].decode("utf-8", "replace")] = text
    return form


def _too_large(limit: int) -> ServingError:
    return ServingError("INVALID_ARGUMENT", f"a request has at most {limit} bytes", http_status=413)
