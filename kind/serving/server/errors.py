"""Errors that answer a request, with the status codes of REST and gRPC."""

from __future__ import annotations

import re

#: gRPC's status codes by number, which are TensorFlow's too, each with the HTTP status of TensorFlow Serving.
_CODES = {
    1: ("CANCELLED", 499),
    2: ("UNKNOWN", 500),
    3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504),
    5: ("NOT_FOUND", 404),
    6: ("ALREADY_EXISTS", 409),
    7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429),
    9: ("FAILED_PRECONDITION", 412),
    10: ("ABORTED", 409),
    11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501),
    13: ("INTERNAL", 500),
    14: ("UNAVAILABLE", 503),
    16: ("UNAUTHENTICATED", 401),
}
HTTP_STATUS = dict(_CODES.values())
NUMBERS = {name: number for number, (name, _) in _CODES.items()}

_LONGEST_MESSAGE = 500
_TRACES = re.compile(
    r"<stack traces unavailable>|\[\[.*?\]\]|\[Op:\S*\]|\(\d+\) \w[\w ]*:"
    r"|\d+ successful operations?\.|\d+ derived errors ignored\."
)
# TensorFlow writes the place in the graph in front of the message.
_WHERE = re.compile(
    r"^Graph execution error:|Detected at node .*?\n|^\s*File \".*?\", line \d+.*$"
    r"|^\d+ root error\(s\) found\.",
    re.MULTILINE,
)
_ASSERTED = re.compile(r"assertion failed: \[(.*?)\](?=\s*(?:assertion failed|$))", re.DOTALL)
_FOLDERS = re.compile(r"(?<![\w.:/])/(?:[^\s/:;,'\"()]+/)+")


class ServingError(Exception):
    """The error that a request is answered with.

    Attributes:
        code: gRPC's status code by name, such as "INVALID_ARGUMENT".
        message: one line for the sender.
        http_status: that of the code, unless TensorFlow Serving's REST API has another.
    """

    def __init__(self, code: str, message: str, http_status: int | None = None) -> None:
        """Keeps all three; `code` is one of `HTTP_STATUS`."""
        super().__init__(message)
        self.code, self.message, self.http_status = code, message, http_status or HTTP_STATUS[code]


def bad_request(message: str) -> ServingError:
    """The error for a sender's mistake: INVALID_ARGUMENT, HTTP 400."""
    return ServingError("INVALID_ARGUMENT", message)


def serving_error_of(error: BaseException) -> ServingError:
    """Turns an exception that was raised while a model ran into a serving error.

    Args:
        error: a `ServingError` is returned unchanged; others get TensorFlow's code for them, or INTERNAL.

    Returns:
        The serving error; its message has no line breaks, no names of graph nodes and no folders.
    """
    if isinstance(error, ServingError):
        return error
    if isinstance(error, MemoryError):
        return ServingError("RESOURCE_EXHAUSTED", "does not fit into memory: send fewer or smaller images")
    code, _ = _CODES.get(getattr(error, "error_code", None), ("INTERNAL", 500))
    text = str(getattr(error, "message", None) or error)
    text = " ".join(_TRACES.sub(" ", _WHERE.sub(" ", text)).split()) or type(error).__name__
    text = " ".join(_ASSERTED.findall(text)) or text
    return ServingError(code, without_folders(text)[:_LONGEST_MESSAGE])


def without_folders(text: str) -> str:
    """A message in which only the last part of each path is left: where it lies is nobody else's business."""
    return _FOLDERS.sub("", text)
