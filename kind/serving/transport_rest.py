"""The client's side of TensorFlow Serving's REST API; needs no TensorFlow."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import urllib3

from kind.serving.answers import status_of, wrong_answer
from kind.serving.deadline import Deadline, watched_pool
from kind.serving.errors import ServerError, echoed
from kind.serving.json_text import read_json
from kind.serving.server.errors import HTTP_STATUS

_CODES = {
    **{status: code for code, status in reversed(HTTP_STATUS.items())},  # the first code of each status
    413: "INVALID_ARGUMENT",
    502: "UNAVAILABLE",  # a proxy whose server is being started again
}
_CONNECTIONS = 32
_LONGEST_CONNECTING = 5.0
_PART = 1 << 20  # bytes that are read at a time


class RestTransport:
    """Speaks to one model."""

    def __init__(self, address: str, model: str, version: int | None, max_bytes: int) -> None:
        """See `Client`; raises ValueError when the address makes no sense."""
        url = urllib3.util.parse_url(address if "://" in address else f"http://{address}")
        if url.scheme not in ("http", "https") or not url.host:
            raise ValueError(f"address expects host:port, received {address!r}")
        self._address = address
        self._path = f"{(url.path or '').rstrip('/')}/v1/models/{quote(model, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        self._max_bytes = max_bytes
        self._pool = watched_pool(url.url, _CONNECTIONS)

    def predict(
        self, signature: str, inputs: Mapping[str, Any], names: Sequence[str], seconds: float
    ) -> Mapping[str, Any]:
        """Runs a signature once.

        Args:
            signature: its name.
            inputs: lists by name; bytes are sent as base64.
            names: of the outputs that matter; the only one of a signature comes without its name.
            seconds: until an answer is no use any more.

        Returns:
            Lists by name, byte strings decoded.

        Raises:
            ServerError: no answer, or another one than a result.
        """
        content = {
            "signature_name": signature,
            "inputs": {name: _sent(value) for name, value in inputs.items()},
        }
        answer = self._request("POST", f"{self._path}:predict", seconds, json.dumps(content).encode())
        outputs = answer.get("outputs")
        if not isinstance(outputs, dict):
            outputs = {names[0]: outputs} if outputs is not None and len(names) == 1 else {}
        try:
            return {name: _received(value) for name, value in outputs.items()}
        except (ValueError, RecursionError) as error:
            raise wrong_answer("it holds damaged base64") from error

    def status(self, seconds: float) -> dict[int, str]:
        """The state of each version by its number; raises as `predict`."""
        answer = self._request("GET", self._path, seconds)
        return status_of(answer.get("model_version_status"))

    def close(self) -> None:
        """Closes the connections."""
        self._pool.close()

    def _request(self, method: str, path: str, seconds: float, body: bytes | None = None) -> dict[str, Any]:
        timeout = urllib3.Timeout(connect=min(seconds, _LONGEST_CONNECTING), read=seconds)
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        with Deadline(seconds) as deadline:
            try:
                response = self._pool.request(
                    method, path, body=body, headers=headers, timeout=timeout, preload_content=False
                )
                try:
                    content = self._body(response)
                except BaseException:
                    response.close()
                    raise
            except (urllib3.exceptions.HTTPError, OSError) as error:  # not reached, or the connection broke
                if deadline.is_over or isinstance(error, urllib3.exceptions.ReadTimeoutError):
                    raise self._error(f"no answer within {seconds:.3g} s", "DEADLINE_EXCEEDED") from error
                reason = echoed(str(getattr(error, "__cause__", None) or error))
                raise self._error(f"cannot be reached ({reason})", "UNAVAILABLE") from error
        if deadline.is_over:
            response.close()
            raise self._error(f"no answer within {seconds:.3g} s", "DEADLINE_EXCEEDED")
        response.release_conn()
        return self._content(response, content)

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        """The whole answer; what would have to be unpacked was not asked for."""
        packed = response.headers.get("Content-Encoding", "identity")
        if packed.lower() != "identity":
            raise self._error(f"its answer is packed ({echoed(packed)})", "UNKNOWN")
        body = bytearray()
        while part := _read(response):
            body += part
            if len(body) > self._max_bytes:
                raise self._error(f"its answer has more than {self._max_bytes} bytes", "UNKNOWN")
        return bytes(body)

    def _content(self, response: urllib3.BaseHTTPResponse, body: bytes) -> dict[str, Any]:
        try:
            content = read_json(body)
        except ValueError:
            content = None
        if response.status == 200 and isinstance(content, dict):
            return content
        reason = content.get("error") if isinstance(content, dict) else None
        reason = reason if isinstance(reason, str) else response.reason or ""
        pause = response.headers.get("Retry-After", "")
        raise self._error(
            f"{echoed(reason) or 'not a TensorFlow Serving server'} (HTTP {response.status})",
            _CODES.get(response.status, "UNKNOWN"),
            float(pause) if re.fullmatch(r"[0-9]{1,5}", pause) else None,
        )

    def _error(self, message: str, code: str, pause: float | None = None) -> ServerError:
        return ServerError(f"server {self._address}: {message}", code, pause)


def _sent(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode("ascii")}
    return [_sent(one) for one in value] if isinstance(value, (list, tuple)) else value


def _read(response: urllib3.BaseHTTPResponse) -> bytes:
    """The next bytes of an answer."""
    try:
        return response.read(_PART, decode_content=False)
    except ValueError as error:  # such as a chunk of less than 0 bytes
        raise urllib3.exceptions.ProtocolError("damaged") from error


def _received(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"b64"}:
        if not isinstance(value["b64"], str):
            raise ValueError("no text")
        return base64.b64decode(value["b64"])
    return [_received(one) for one in value] if isinstance(value, list) else value
