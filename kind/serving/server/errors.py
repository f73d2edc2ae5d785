"""Errors that answer a request, with the status codes of REST and gRPC."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import NamedTuple

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
_BELOW = r"(?:[^\s/\\:;,'\"()]+[/\\]+)*"  # folders below one
# Of POSIX, of Windows and in URLs; a backslash alone may also be that of an escaped character.
_FOLDERS = re.compile(rf"(?<!\w)(?:file:/+|[A-Za-z]:[/\\]+){_BELOW}" r"|(?<![\w.:/])/(?:[^\s/:;,'\"()]+/)+")


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


def serving_error_of(error: BaseException, folder: Path | None = None) -> ServingError:
    """Turns an exception that was raised while a model ran into a serving error.

    Args:
        error: a `ServingError` is returned unchanged; others get TensorFlow's code for them, or INTERNAL.
        folder: of the model, see `without_folders`.

    Returns:
        The serving error; its message has no line breaks, no names of graph nodes and no folders.
    """
    if isinstance(error, ServingError):
        return error
    if isinstance(error, MemoryError):
        return ServingError("RESOURCE_EXHAUSTED", "does not fit into memory: send fewer or smaller images")
    code, _ = _CODES.get(getattr(error, "error_code", None), ("INTERNAL", 500))
    text = without_folders(str(getattr(error, "message", None) or error), folder)
    text = " ".join(_TRACES.sub(" ", _WHERE.sub(" ", text)).split()) or type(error).__name__
    text = " ".join(_ASSERTED.findall(text)) or text
    return ServingError(code, text[:_LONGEST_MESSAGE])


class ErrorWords(NamedTuple):
    """What a `ServingError` says, without the error; the attributes are those of `ServingError`."""

    code: str
    message: str
    http_status: int


def words_of(error: BaseException) -> ErrorWords:
    """What an error is answered with, see `serving_error_of`.

    An error leads to the frames that it has passed. In one of them that names it, both would keep each other,
    and the request, until a garbage collection: where no other request comes, for ever. Its words lead to
    nothing.
    """
    refused = serving_error_of(error)
    return ErrorWords(refused.code, refused.message, refused.http_status)


def without_folders(text: str, folder: Path | None = None) -> str:
    """A message in which only the last part of each path is left: where it lies is nobody else's business.

    Args:
        text: the message.
        folder: one that it may name. It and those that it lies in are found whatever their names hold; others
            may hold no blanks, brackets, quotes, commas, colons or semicolons.
    """
    for place in _places(folder) if folder else ():
        # After a separator comes what is left, and otherwise the folder itself is.
        text = re.sub(rf"{_pattern(place)}(?:[/\\]+{_BELOW}|(?![\w.-]))", partial(_left, place), text)
    return _FOLDERS.sub("", text)


def _places(folder: Path) -> list[Path]:
    """A folder and those that it lies in, the longest first, but no root."""
    places = {place for path in (folder, folder.absolute()) for place in (path, *path.parents)}
    return sorted((place for place in places if place.name), key=lambda place: -len(str(place)))


def _pattern(place: Path) -> str:
    """Finds a path, also in a URL or with the other separators."""
    start, names = re.escape(place.anchor.rstrip("/\\")), place.parts[bool(place.anchor) :]
    root = rf"(?:file:[/\\]*)?{start}[/\\]+" if place.anchor else ""
    return r"(?<![\w.-])(?<![\w.-][/\\])" + root + r"[/\\]+".join(map(re.escape, names))


def _left(place: Path, found: re.Match) -> str:
    return "" if found[0].endswith(("/", "\\")) else place.name
