"""Image files from the network: bytes of an http or https address, within limits of size and time."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.parse
import urllib.request

from kind.images.pixels import ImageError

MOST_BYTES = 256 << 20
"""Longer files are refused, by their length where the server says it, otherwise once so much has come."""

_SECONDS, _SECONDS_TOGETHER = 30.0, 300.0  # without a byte, and for the whole file
_PIECE = 1 << 20


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows addresses of the web only; urllib would go on to FTP."""

    def redirect_request(self, request, file, code, message, headers, address):
        if not is_address(address):
            file.close()
            raise urllib.error.URLError(f"it leads to {address!r}, which is neither http nor https")
        return super().redirect_request(request, file, code, message, headers, address)


def is_address(text: str) -> bool:
    """Whether a word of a command line is an address to fetch, and not the name of a file."""
    return text.lower().startswith(("http://", "https://"))


def name_of(address: str) -> str:
    """The name of the file behind an address: the last part of its path; "photograph" where it has none."""
    path = urllib.parse.unquote(urllib.parse.urlsplit(address).path)
    name = path.rstrip("/").rpartition("/")[2].replace("\0", "").lstrip(".")
    return name or "photograph"


def fetch(
    address: str,
    *,
    most_bytes: int = MOST_BYTES,
    seconds: float = _SECONDS,
    seconds_together: float = _SECONDS_TOGETHER,
) -> bytes:
    """Reads the file behind an http or https address.

    Args:
        address: redirections are followed, to http and https only.
        most_bytes: longest file.
        seconds: longest wait for the server's next bytes.
        seconds_together: longest time for the whole file.

    Returns:
        The bytes.

    Raises:
        ImageError: the server cannot be reached, answers with an error or too slowly, or the file is too
            long. The message names the address.
    """
    started = time.monotonic()
    try:
        request = urllib.request.Request(address, headers={"User-Agent": "kind", "Accept": "image/*,*/*"})
        with urllib.request.build_opener(_Redirects).open(request, timeout=seconds) as answer:
            told = answer.headers.get("Content-Length", "")
            if told.isdecimal() and int(told) > most_bytes:
                raise _too_long(address, most_bytes)
            data = bytearray()
            while piece := answer.read1(_PIECE):
                data += piece
                if len(data) > most_bytes:
                    raise _too_long(address, most_bytes)
                if time.monotonic() - started > seconds_together:
                    raise TimeoutError
            if told.isdecimal() and len(data) < int(told):
                raise http.client.IncompleteRead(b"")
    except ImageError:  # a ValueError too
        raise
    except urllib.error.HTTPError as error:
        error.close()
        text = f"{address}: the server answers {error.code} {error.reason}"
        raise ImageError(f"{text}: open the address in a browser to check it") from error
    except (urllib.error.URLError, OSError, http.client.HTTPException, ValueError) as error:
        raise ImageError(f"{address}: {_reason(error)}: check the address and the connection") from error
    return bytes(data)


def _too_long(address: str, most_bytes: int) -> ImageError:
    return ImageError(
        f"{address}: is longer than {most_bytes / (1 << 20):g} MiB: download and shrink it first"
    )


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    if isinstance(cause, TimeoutError):
        return "the server takes too long"
    if isinstance(cause, http.client.IncompleteRead):
        return "the connection ended before the file did"
    return f"cannot be fetched ({getattr(cause, 'strerror', None) or cause or type(cause).__name__})"
