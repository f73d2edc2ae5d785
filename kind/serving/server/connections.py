"""The connections of both ports: how many there may be; and how long one of HTTP may do nothing.

Every connection takes a file handle and some memory, whether it sends anything or not. So one on which
nothing moves is closed, and where there are too many, the one that has waited longest without a request makes
room for the newest: clients that only hold connections lock nobody out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from typing import Any

from aiohttp import web

from kind.serving.limits import ANSWER_BYTES, Limits
from kind.serving.server.calls import sender_of

try:
    import resource
except ImportError:  # Windows, which has no such limit
    resource = None

_LINGERING = 5.0  # seconds in which the rest of a refused upload is read, so that its sender sees the answer
_CLOSING = 0.2
_ACCEPTED_AT_ONCE = 16  # before the limits are looked at
_BACKLOG = 512
# Bytes. With asyncio's 256 KiB everybody waits for 10 MiB at each turn of 40 uploads.
_READ_AT_ONCE = 1 << 15
_KEPT_HANDLES = 64  # for models, logs and libraries
_FEWEST = 8
_IDLE = 5  # times as long as in the middle of a request may pass between two of them
_WHOLE_ANSWER = 20  # times as long as for a part of the answer may be taken for all of it
_PAUSE_BETWEEN_LINES = 10.0
_HANDLES = "/dev/fd"

NOSNIFF = {"X-Content-Type-Options": "nosniff"}


class Connections(web.Server):
    """Makes and watches the connections of one port."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.Response]], limits: Limits) -> None:
        """Answers with `handler`; for the running event loop."""
        # A sender who has gone away frees its place in the queue.
        super().__init__(handler, handler_cancellation=True)
        self._limits, self._most = limits, connections_within_handles(limits.connections)
        self._open: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._watcher: asyncio.Task | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listens, and returns the port; raises OSError when it is taken."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self, host, port, backlog=_ACCEPTED_AT_ONCE)
        for listening in self._listener.sockets:
            with listening.dup() as same:
                same.listen(_BACKLOG)
        self._watcher = asyncio.create_task(self._watch())
        return self._listener.sockets[0].getsockname()[1]

    def stop_listening(self) -> None:
        """Accepts no new connections."""
        if self._listener:
            self._listener.close()

    async def close(self, seconds: float) -> None:
        """Ends all connections, those with an unfinished answer after some seconds."""
        if self._watcher:
            self._watcher.cancel()
        self.pre_shutdown()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.shutdown(seconds), seconds + _CLOSING)
        for connection in list(self._open):
            connection.abort()

    def __call__(self) -> Connection:
        """A connection for a client that has just been accepted."""
        return Connection(self, loop=self._loop, access_log=None, lingering_time=_LINGERING)

    def admit(self, newest: Connection) -> None:
        """Makes room for a connection where there are too many; it may be the one that has to go."""
        self._open.add(newest)
        neighbours = [each for each in self._open if each.sender == newest.sender]
        crowd = neighbours if len(neighbours) > max(self._most // 2, _FEWEST) else self._open
        if crowd is self._open and len(self._open) <= self._most:
            return
        waiting = [each for each in crowd if each.waiting_since is not None]
        min(waiting, key=lambda each: (each.unsent > 0, each.waiting_since)).abort()

    def forget(self, connection: Connection) -> None:
        """Counts a connection no more."""
        self._open.discard(connection)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(self._limits.silence / 4, 1.0))
            now = time.monotonic()
            for connection in list(self._open):
                if connection.is_stuck(now, self._limits.silence):
                    connection.abort()
            self._drop_untaken(self._limits.bodies * ANSWER_BYTES)

    def _drop_untaken(self, most: int) -> None:
        """Ends the oldest answers until `most` bytes wait to be taken in all, half of it for one address."""
        while True:
            amounts: Counter[str] = Counter()
            for each in self._open:
                amounts[each.sender] += each.unsent
            (sender, largest), *_ = amounts.most_common(1) or [("", 0)]
            if largest <= most // 2 and sum(amounts.values()) <= most:
                return
            untaken = [each for each in self._open if each.sender == sender and each.unsent]
            min(untaken, key=lambda each: each.answered).abort()


class Connection(web.RequestHandler):
    """One connection.

    Attributes:
        sender: its client, see `sender_of`.
        waiting_since: when it began to wait for a whole header, in monotonic seconds; None during a request.
        is_kept: whether it waits for the first byte of another request, which may take longer.
        answered: when the last answer was there, in monotonic seconds.
    """

    def __init__(self, connections: Connections, **more: Any) -> None:
        """A connection of `connections`."""
        super().__init__(connections, **more)
        self._connections = connections
        self.sender = ""
        self.waiting_since: float | None = None
        self.is_kept = False
        self.answered, self._unsent = 0.0, 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for a request, or ends at once where there are too many."""
        self.sender = sender_of(str((transport.get_extra_info("peername") or ("",))[0]))
        self.waiting_since = time.monotonic()
        self._wire = transport
        transport.max_size = _READ_AT_ONCE
        super().connection_made(transport)
        self._connections.admit(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Makes room for another."""
        self._connections.forget(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Reads a part of a request."""
        if self.is_kept:
            self.waiting_since, self.is_kept = time.monotonic(), False
        super().data_received(data)

    def begin(self) -> None:
        """Called when the header of a request is whole."""
        self.waiting_since = None

    def end(self) -> None:
        """Called when the answer to a request is there, before it is sent."""
        self.waiting_since = self.answered = time.monotonic()
        self.is_kept = True

    def abort(self) -> None:
        """Ends it without a word."""
        self._connections.forget(self)
        self._wire.abort()

    @property
    def unsent(self) -> int:
        """Bytes of an answer that its client has not taken yet."""
        return self._wire.get_write_buffer_size()

    def is_stuck(self, now: float, silence: float) -> bool:
        """Whether it has waited too long for a header, or for its client to take more of the answer."""
        if self.waiting_since is None:
            return False
        before, self._unsent = self._unsent, self.unsent
        if self._unsent != before:
            self.waiting_since = now
        if self._unsent and now - self.answered > silence * _WHOLE_ANSWER:
            return True
        is_idle = self.is_kept and not self._unsent
        return now - self.waiting_since > silence * (_IDLE if is_idle else 1)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What no handler answers: a header that is none, or a client that has gone."""
        if isinstance(exc, ConnectionError) or request.writer.output_size:
            raise ConnectionResetError("the client has gone")
        response = error_response(" ".join((message or "").split())[:200] or "internal error", status)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kw: Any) -> None:
        """One line instead of a traceback."""
        said("a connection ended: " + " ".join(str(kw.get("exc_info") or (args or ("",))[0]).split())[:200])


def error_response(message: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """`{"error": …}`."""
    return web.json_response({"error": message}, status=status, headers={**NOSNIFF, **(headers or {})})


def connections_within_handles(wanted: int) -> int:
    """How many connections each of two ports may hold; raises a limit on file handles that is too low."""
    if resource is None:
        return wanted
    handles, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * wanted + _KEPT_HANDLES + _ACCEPTED_AT_ONCE
    if handles != resource.RLIM_INFINITY and handles < needed:
        handles = needed if most == resource.RLIM_INFINITY else min(needed, most)
        resource.setrlimit(resource.RLIMIT_NOFILE, (handles, most))
    if handles == resource.RLIM_INFINITY:
        return wanted
    return max(min(wanted, (handles - _KEPT_HANDLES - _ACCEPTED_AT_ONCE) // 2), _FEWEST)


def end_crowded(port: int, most: int, busy: Collection[int]) -> None:
    """Ends connections to a port of this process where one address has too many.

    gRPC limits the connections of all, but not those of an address, and shows none of them. So its sockets
    are found among the file handles of this process.

    Args:
        port: where they arrived.
        most: connections of one address.
        busy: ports of the clients whose requests are being answered; these connections stay.

    Raises:
        OSError: there is no file handle left.
    """
    if len(os.listdir(_HANDLES)) <= most:
        return
    amounts: Counter[str] = Counter()
    for each in _own_sockets():
        with contextlib.suppress(OSError):  # one that listens has no peer
            name, peer = each.getsockname(), each.getpeername()
            if isinstance(name, tuple) and name[1] == port:
                sender = sender_of(peer[0])
                amounts[sender] += 1
                if amounts[sender] > most and peer[1] not in busy:
                    each.shutdown(socket.SHUT_RDWR)


def _own_sockets() -> Iterator[socket.socket]:
    """A copy of each socket of this process."""
    for handle in os.listdir(_HANDLES):
        with contextlib.suppress(OSError):  # closed meanwhile
            copy = os.dup(int(handle))
            try:
                found = socket.socket(fileno=copy)
            except OSError:  # a file
                os.close(copy)
                continue
            with found:
                yield found


def report_of_loop() -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], None]:
    """An exception handler for an event loop: one line, and never the same within ten seconds.

    asyncio reports each connection that it cannot accept for want of file handles with a traceback, some
    hundred a second.
    """
    last: dict[str, float] = {}

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        line = " ".join(f"{context.get('message', '')}: {error or ''}".split())[:200]
        kind, now = str(context.get("message", ""))[:40], time.monotonic()
        is_repeated = now - last.get(kind, -_PAUSE_BETWEEN_LINES) < _PAUSE_BETWEEN_LINES
        if isinstance(error, ConnectionError) or is_repeated:
            return
        last[kind] = now
        said(line)

    return report


def said(line: str) -> None:
    """Prints a line on stderr."""
    print(f"kind: {line}", file=sys.stderr, flush=True)
