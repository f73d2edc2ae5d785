"""A time limit for a whole answer, whatever its server sends in between; needs no TensorFlow."""

from __future__ import annotations

import contextlib
import socket
import threading

import urllib3


def watched_pool(url: str, connections: int) -> urllib3.HTTPConnectionPool:
    """Connections to one server that a `Deadline` can cut; nothing is retried or redirected."""
    pool = urllib3.connection_from_url(url, maxsize=connections, retries=False)
    pool.ConnectionCls = type("Watched", (_Watched, pool.ConnectionCls), {})
    return pool


class Deadline:
    """Cuts the connection of the request in its block when the time is up.

    Time limits of sockets apply to each part that arrives: a server that sends a byte a second keeps within
    them for ever.

    Attributes:
        is_over: whether the connection was cut.
    """

    _current = threading.local()

    def __init__(self, seconds: float) -> None:
        """Starts with the block."""
        self.is_over = False
        self._lock, self._socket = threading.Lock(), None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        """Starts the clock."""
        self._current.deadline = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops the clock."""
        with self._lock:
            self._socket = None
        self._current.deadline = None
        self._timer.cancel()

    @classmethod
    def watch(cls, connection: socket.socket) -> None:
        """Names the connection of the request that this thread is sending."""
        deadline = getattr(cls._current, "deadline", None)
        if deadline is None or connection is None:
            return
        with deadline._lock:
            deadline._socket = connection
        if deadline.is_over:
            deadline._cut()

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


class _Watched:
    """A connection that says who it is, to whoever may have to cut it."""

    def connect(self) -> None:
        super().connect()
        Deadline.watch(self.sock)

    def request(self, *arguments, **more) -> None:
        Deadline.watch(self.sock)
        super().request(*arguments, **more)
