"""The requests on their way: how many, of how many bytes, whose, and how long each may take."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from typing import TYPE_CHECKING, TypeVar

from kind.serving.limits import Limits
from kind.serving.server.errors import ServingError

if TYPE_CHECKING:  # the process that reads requests has no use for it
    from kind.serving.server.metrics import Metrics

_LARGE = 1 << 18  # bytes of a request or an answer
_OF_ONE_SITE = 64  # bits of an IPv6 address; whoever has one address has all that begin so

Result = TypeVar("Result")


class Call:
    """A request on its way.

    Attributes:
        name: of its model, once it is known.
        sender: see `sender_of`.
        size: bytes of it in memory.
        is_arriving: whether its content is not whole yet.
        started: when its header was, in monotonic seconds.
        end: when its answer is late, likewise.
    """

    def __init__(self, seconds: float, sender: str = "", calls: Calls | None = None) -> None:
        """One whose header has just arrived, and whose answer is late after some seconds."""
        self.name, self.sender, self.size, self.is_arriving = "", sender, 0, True
        self.started = time.monotonic()
        self.end = self.started + seconds
        self._seconds, self._calls = seconds, calls
        self._step: asyncio.Future | None = None
        self._gives_way = False

    def hold(self, size: int) -> None:
        """Counts bytes that stay in memory until it ends; ServingError when there are too many of all."""
        self.size += size
        if self._calls:
            self._calls.make_room(self)

    def give_way(self) -> None:
        """Ends it with an error, in favour of others."""
        self._gives_way = True
        if self._step:
            self._step.cancel()

    async def in_time(
        self, work: Awaitable[Result], late: str = "not answered", most: float = math.inf
    ) -> Result:
        """Waits for a step of the answer.

        Args:
            work: the step; it is cancelled when the time is over.
            late: says what has not happened then.
            most: seconds for this step.

        Raises:
            ServingError: DEADLINE_EXCEEDED when the time is over, UNAVAILABLE when it had to give way.
        """
        work = self._step = asyncio.ensure_future(work)
        left = self.end - time.monotonic()
        try:
            if not self._gives_way:
                await asyncio.wait({work}, timeout=max(min(left, most), 0))
            if self._gives_way:
                raise ServingError("UNAVAILABLE", "too many requests at the same time, and this one is slow")
            if work.done():
                return work.result()
        finally:
            work.cancel()
            del work  # an error in it leads to this frame, and the two would keep each other
            self._step = None
        raise ServingError("DEADLINE_EXCEEDED", f"{late} within {most if most < left else self._seconds:g} s")

    async def compute(
        self, size: int, function: Callable[..., Result], *arguments, late: str = "not answered"
    ) -> Result:
        """Calls a function, in a thread when it has many bytes to work through: others wait for what is not.

        Args:
            size: the number of bytes.
            function: what is called.
            *arguments: of the function.
            late: as of `in_time`.

        Raises:
            ServingError: DEADLINE_EXCEEDED when the time is over.
        """
        if size < _LARGE:
            return function(*arguments)
        loop = asyncio.get_running_loop()
        return await self.in_time(loop.run_in_executor(None, function, *arguments), late)


class Calls:
    """All requests; for one event loop.

    Where there are too many, or too many bytes of them, one whose content is still arriving makes room for
    the newest: uploads that take long lock nobody out. One sender may have half of what all may have.
    """

    def __init__(self, limits: Limits, metrics: Metrics, names: Callable[[], Collection[str]]) -> None:
        """Keeps the limits.

        Args:
            limits: of the time of a request, and of the number and the bytes of all.
            metrics: its `answered` is called when one ends.
            names: gives those of the models: others are not counted by name, which would fill the memory.
        """
        self._limits, self._metrics, self._names = limits, metrics, names
        self._open: dict[Call, None] = {}  # from the oldest on

    def number(self) -> int:
        """How many there are now."""
        return len(self._open)

    @contextlib.contextmanager
    def open(
        self, sender: str, entrypoint: str, method: str = "", name: str = "", seconds: float | None = None
    ) -> Iterator[Call]:
        """Counts the request that is answered in the block.

        Args:
            sender: see `sender_of`.
            entrypoint: "REST" or "GRPC".
            method: under which it is in the metrics; "" leaves it out.
            name: of its model, if known.
            seconds: until it is of no use to its sender, if known.

        Raises:
            ServingError: UNAVAILABLE, when there are too many.
        """
        limit, status = self._limits.seconds, "OK"
        call = Call(limit if seconds is None else min(seconds, limit), sender, self)
        call.name = name
        self._open[call] = None
        try:
            self.make_room(call)
            yield call
        except ServingError as error:
            status = error.code
            raise
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except BaseException:
            status = "INTERNAL"
            raise
        finally:
            self._open.pop(call, None)
            if method:
                known = call.name if call.name in self._names() else ""
                taken = time.monotonic() - call.started
                self._metrics.answered(known, method, entrypoint, status, taken)

    def make_room(self, newest: Call) -> None:
        """Ends the longest of those that arrive while there are too many, and the largest for their bytes.

        Raises:
            ServingError: it is the newest one itself, or none arrives.
        """
        limits = self._limits
        self._make_room(newest, limits.in_flight, "requests", lambda call: 1, lambda call: -call.started)
        most = limits.bodies * limits.request_bytes
        self._make_room(newest, most, "bytes of requests", lambda call: call.size, lambda call: call.size)

    def _make_room(
        self, newest: Call, most: int, what: str, size: Callable[[Call], int], rank: Callable[[Call], float]
    ) -> None:
        for limit, whose in ((max(most // 2, 1), " from one address"), (most, "")):
            crowd = [call for call in self._open if not whose or call.sender == newest.sender]
            arriving = sorted((call for call in crowd if call.is_arriving), key=rank)
            too_many = sum(map(size, crowd)) - limit
            while too_many > 0:
                other = arriving.pop() if arriving else newest
                if other is newest:
                    raise ServingError("UNAVAILABLE", f"more than {limit} {what}{whose} at the same time")
                too_many -= size(other)
                del self._open[other]
                other.give_way()


def sender_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the first half of an IPv6 address; other text as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, _OF_ONE_SITE), strict=False))
