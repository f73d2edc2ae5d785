"""A message of gRPC that never ends, in frames of HTTP/2: for `benchmarks.serving_attackers`.

gRPC's own clients send whole messages only.
"""

from __future__ import annotations

import select
import socket
import struct
import time

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS, _PING, _WINDOW_UPDATE = 0, 1, 4, 6, 8
_END_OF_HEADERS, _ACKNOWLEDGED = 4, 1
_FRAME = 1 << 14  # bytes
_FIRST_WINDOW = 65_535  # bytes that may be sent before the other side gives more
_METHOD = "/tensorflow.serving.PredictionService/Predict"


class UnfinishedMessage:
    """A connection with one call, of whose message all but the end is sent."""

    def __init__(self, port: int, size: int) -> None:
        """Connects, and declares a message of so many bytes."""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=1)
        self._windows = {0: _FIRST_WINDOW, 1: _FIRST_WINDOW}  # of the connection and of the call
        self._first_window, self._unread, self._left = _FIRST_WINDOW, b"", size - 1
        headers = {":method": "POST", ":scheme": "http", ":path": _METHOD, ":authority": "localhost"}
        headers |= {"content-type": "application/grpc", "te": "trailers"}
        packed = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        self._socket.sendall(_frame(_HEADERS, _END_OF_HEADERS, 1, packed))
        self._send(struct.pack(">BL", 0, size))

    def send(self, seconds: float) -> None:
        """Sends what the other side takes within some seconds; OSError when it ends the call."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            size = min(_FRAME, self._left, *self._windows.values())
            if size > 0:
                self._send(bytes(size))
                self._left -= size
            self._receive(0.0 if size > 0 else 0.1)

    def close(self) -> None:
        """Goes away."""
        self._socket.close()

    def _send(self, data: bytes) -> None:
        for place in self._windows:
            self._windows[place] -= len(data)
        self._socket.settimeout(5)
        self._socket.sendall(_frame(_DATA, 0, 1, data))

    def _receive(self, seconds: float) -> None:
        """Reads what has come, and answers what must be answered."""
        if not select.select([self._socket], [], [], seconds)[0]:
            return
        data = self._socket.recv(1 << 16)
        if not data:
            raise ConnectionResetError("the other side ended the connection")
        self._unread += data
        while len(self._unread) >= 9:
            size = int.from_bytes(self._unread[:3], "big")
            if len(self._unread) < 9 + size:
                return
            kind, flags, stream = self._unread[3], self._unread[4], int.from_bytes(self._unread[5:9], "big")
            self._take(kind, flags, stream, self._unread[9 : 9 + size])
            self._unread = self._unread[9 + size :]

    def _take(self, kind: int, flags: int, stream: int, content: bytes) -> None:
        if kind == _WINDOW_UPDATE and stream in self._windows:
            self._windows[stream] += int.from_bytes(content, "big")
        elif kind == _SETTINGS and not flags & _ACKNOWLEDGED:
            for name, value in struct.iter_unpack(">HL", content):
                if name == 4:  # of all calls
                    self._windows[1] += value - self._first_window
                    self._first_window = value
            self._socket.sendall(_frame(_SETTINGS, _ACKNOWLEDGED, 0))
        elif kind == _PING and not flags & _ACKNOWLEDGED:
            self._socket.sendall(_frame(_PING, _ACKNOWLEDGED, 0, content))
        elif kind in (_HEADERS, 3, 7):  # an answer, the end of the call or of the connection
            raise ConnectionResetError("the other side ended the call")


def _frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    return len(content).to_bytes(3, "big") + struct.pack(">BBL", kind, flags, stream) + content


def _text(text: str) -> bytes:
    """As HPACK has short texts that are not packed."""
    return bytes([len(text)]) + text.encode("ascii")
