"""Requests in flight: their number, their bytes, their senders, and the time limit of each."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from kind.serving.limits import ANSWER_BYTES, Limits
from kind.serving.server.errors import ServingError

if TYPE_CHECKING:  # the process that reads requests has no use for it
    from kind.serving.server.metrics import Metrics

_LARGE = 1 << 18  # bytes of a request or an answer
_SMALL = 1 << 20  # bytes of a request that are taken whatever the others hold
_SLOW = 16 << 10  # bytes a second
_FIRST, _LONGEST_STOP = 1.0, 5.0  # seconds before that is judged, and without a byte
_OF_ONE_SITE = 64  # bits of an IPv6 address; whoever has one address has all that begin so

Result = TypeVar("Result")


class Call:
    """A request in flight.

    Attributes:
        name: of its model, once it is known.
        sender: see `sender_of`.
        port: of its sender, over gRPC.
        size: bytes of it in memory.
        is_arriving: whether more of its content is awaited, see `expect`.
        unsent: bytes of its answer while that is being sent, see `send`.
        started: when its header was whole, in monotonic seconds.
        end: from when on its answer is late, likewise.
    """

    def __init__(self, seconds: float, sender: str = "", calls: Calls | None = None) -> None:
        """One whose header has just arrived, and whose answer is late after some seconds."""
        self.name, self.sender, self.port, self.size, self.unsent = "", sender, 0, 0, 0
        self.is_arriving = False
        self.started = self._expected = self._moved = time.monotonic()
        self.end = self.started + seconds
        self._seconds, self._calls = seconds, calls
        self._step: asyncio.Future | None = None
        self._gives_way = False

    def expect(self) -> None:
        """Begins to wait for its content."""
        self.is_arriving, self._expected = True, time.monotonic()
        self._moved = self._expected

    def hold(self, size: int) -> None:
        """Counts bytes that stay in memory until it ends; ServingError when all requests have too many."""
        self._moved = time.monotonic()
        if self._calls:
            self._calls.hold(self, size)

    def is_slow(self, now: float) -> bool:
        """Whether its content takes long to arrive."""
        taken = now - self._expected
        has_stopped = now - self._moved > _LONGEST_STOP
        return self.is_arriving and (has_stopped or taken > _FIRST and self.size < _SLOW * taken)

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
        work.add_done_callback(lambda done: done.cancelled() or done.exception())  # has been seen
        left = self.end - time.monotonic()
        try:
            if not self._gives_way:
                await asyncio.wait({work}, timeout=max(min(left, most), 0))
            if self._gives_way:
                raise ServingError("UNAVAILABLE", "too many requests at a time, and this one arrives slowly")
            if work.done():
                return work.result()
        finally:
            work.cancel()
            del work  # an error in it leads to this frame, and the two would keep each other
            self._step = None
        raise ServingError("DEADLINE_EXCEEDED", f"{late} within {most if most < left else self._seconds:g} s")

    async def send(self, write: Callable[[bytes], Awaitable[None]], answer: bytes) -> None:
        """Counts the bytes of an answer until they are taken; ServingError when all answers have too many."""
        self.unsent = len(answer)
        if self._calls:
            self._calls.hold_answer(self)
        await write(answer)

    async def compute(
        self, size: int, function: Callable[..., Result], *arguments, late: str = "not answered"
    ) -> Result:
        """Calls a function, in a thread when it has many bytes to work through: others must not wait for it.

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
    """All requests in flight; for one event loop.

    One sender may have half of what all may have. Where there are too many requests, or bytes of them, one
    whose content arrives slowly makes room for the newest, and where there is none, the newest is refused.
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
        self._arriving: set[Call] = set()
        self._waiting: list[asyncio.Future] = []

    def number(self) -> int:
        """How many there are now."""
        return len(self._open)

    def ports(self) -> set[int]:
        """Those of the senders over gRPC."""
        return {call.port for call in self._open}

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
            self._make_room(call, "requests", self._limits.in_flight, lambda call: 1)
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

    def hold(self, call: Call, size: int) -> None:
        """See `Call.hold`."""
        if call not in self._open:  # it has given way
            return
        call.size += size
        if call.size > _SMALL:
            most = self._limits.bodies * self._limits.request_bytes
            self._make_room(call, "bytes of requests", most, lambda call: call.size, _SMALL)

    def hold_answer(self, call: Call) -> None:
        """See `Call.send`. No other makes room: gRPC keeps an answer until it is taken or its client gone."""
        most = self._limits.bodies * ANSWER_BYTES
        self._make_room(call, "bytes of answers", most, lambda call: call.unsent, math.inf)

    @contextlib.asynccontextmanager
    async def arriving(self, call: Call) -> AsyncIterator[None]:
        """Waits for a place for a message that arrives, whose bytes nobody can count before it is whole.

        There are as many as bodies in the limits, half of them for one sender; a slow message gives its up.

        Raises:
            ServingError: as of `Call.in_time`.
        """
        while not self._has_place(call):
            self._waiting.append(asyncio.get_running_loop().create_future())
            step = asyncio.wait(self._waiting[-1:], timeout=_FIRST)
            await call.in_time(step, "the message did not arrive")
        self._arriving.add(call)
        call.expect()
        try:
            yield
        finally:
            self._arriving.discard(call)
            for each in self._waiting:
                each.cancel()
            self._waiting.clear()

    def _has_place(self, newest: Call) -> bool:
        """Whether there is a place for a message, or one is made."""
        most, amounts = self._limits.bodies, Counter(call.sender for call in self._arriving)
        is_own = amounts[newest.sender] >= max(most // 2, 1)
        if not is_own and len(self._arriving) < most:
            return True
        others = [call for call in self._arriving if call.sender == newest.sender or not is_own]
        return self._ended_slowest(others, amounts)

    def _ended_slowest(self, calls: Collection[Call], amounts: Mapping[str, int]) -> bool:
        """Ends the slowest, if one is slow, of whoever has most: two senders cannot end what others send."""
        now = time.monotonic()
        slow = [call for call in calls if call.is_slow(now)]
        if slow:
            slowest = max(slow, key=lambda call: (amounts[call.sender], -call.started))
            self._open.pop(slowest, None)
            self._arriving.discard(slowest)
            slowest.give_way()
        return bool(slow)

    def _make_room(
        self, newest: Call, what: str, most: int, amount: Callable[[Call], int], least: float = -1
    ) -> None:
        """Ends slow calls of more than `least` bytes until all have `most` at most, and this sender half."""
        share = max(most // 2, 1)
        while True:
            amounts: Counter[str] = Counter()
            for call in self._open:
                amounts[call.sender] += amount(call)
            is_own = amounts[newest.sender] > share
            if not is_own and sum(amounts.values()) <= most:
                return
            others = [
                call
                for call in self._open
                if call is not newest and call.size > least and (call.sender == newest.sender or not is_own)
            ]
            if not self._ended_slowest(others, amounts):
                limit = f"{share} {what} from one address" if is_own else f"{most} {what}"
                raise ServingError("UNAVAILABLE", f"more than {limit} at the same time")


def sender_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the first half of an IPv6 address; other text as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, _OF_ONE_SITE), strict=False))
