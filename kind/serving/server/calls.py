"""The requests on their way: how many, of how many bytes, whose, and how long each may take."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import math
import time
from collections import Counter
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
        started: when it arrived, in monotonic seconds.
        end: when its answer is late, likewise.
    """

    def __init__(self, seconds: float, hold: Callable[[int], None] = lambda size: None) -> None:
        """One that has just arrived.

        Args:
            seconds: until its answer is late.
            hold: counts bytes of it that stay in memory until it ends; raises ServingError when there are
                too many of all requests.
        """
        self.name, self.started, self._seconds = "", time.monotonic(), seconds
        self.end = self.started + seconds
        self.hold = hold

    async def in_time(
        self, work: Awaitable[Result], late: str = "not answered", most: float = math.inf
    ) -> Result:
        """Waits for a step of the answer.

        Args:
            work: the step; it is cancelled when the time is over.
            late: says what has not happened then.
            most: seconds for this step.

        Raises:
            ServingError: DEADLINE_EXCEEDED when the time is over.
        """
        work = asyncio.ensure_future(work)
        left = self.end - time.monotonic()
        try:
            await asyncio.wait({work}, timeout=max(min(left, most), 0))
            if work.done():
                return work.result()
        finally:
            work.cancel()
            del work  # an error in it leads to this frame, and the two would keep each other
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
    """Counts all requests; for one event loop.

    One sender may have half of what all may have, so that nobody alone shuts everybody else out.
    """

    def __init__(self, limits: Limits, metrics: Metrics, names: Callable[[], Collection[str]]) -> None:
        """Keeps the limits.

        Args:
            limits: of the time of a request, and of the number and the bytes of all.
            metrics: its `answered` is called when one ends.
            names: gives those of the models: others are not counted by name, which would fill the memory.
        """
        self._limits, self._metrics, self._names = limits, metrics, names
        self._open: Counter[str] = Counter()
        self._held: Counter[str] = Counter()

    def number(self) -> int:
        """How many there are now."""
        return sum(self._open.values())

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
        limits, status, size = self._limits, "OK", 0

        def hold(more: int) -> None:
            nonlocal size
            size += more
            self._held[sender] += more
            _check(self._held, sender, limits.bodies * limits.request_bytes, "bytes of requests")

        call = Call(limits.seconds if seconds is None else min(seconds, limits.seconds), hold)
        call.name = name
        self._open[sender] += 1
        try:
            _check(self._open, sender, limits.in_flight, "requests")
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
            self._open[sender] -= 1
            self._held[sender] -= size
            self._open, self._held = +self._open, +self._held  # forgets who has none
            if method:
                known = call.name if call.name in self._names() else ""
                taken = time.monotonic() - call.started
                self._metrics.answered(known, method, entrypoint, status, taken)


def sender_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the first half of an IPv6 address; other text as it is."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, _OF_ONE_SITE), strict=False))


def _check(held: Counter[str], sender: str, most: int, what: str) -> None:
    share = max(most // 2, 1)
    if sum(held.values()) > most:
        raise ServingError("UNAVAILABLE", f"more than {most} {what} at the same time")
    if held[sender] > share:
        raise ServingError("UNAVAILABLE", f"more than {share} {what} from one address at the same time")
