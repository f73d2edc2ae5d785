"""Work that is too long for the event loop, where all requests would wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")


class OneAtATime:
    """Calls functions in threads, one after another, also when somebody who waited has given up meanwhile."""

    def __init__(self, executor: Executor | None = None) -> None:
        """Of the running event loop; None takes its own threads."""
        self._executor, self._lock = executor, asyncio.Lock()

    async def call(self, function: Callable[..., Result], *arguments) -> Result:
        """Calls a function when its turn comes; whoever gives up before holds nothing any more."""
        await self._lock.acquire()
        work = asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)
        work.add_done_callback(self._next)
        try:
            return await asyncio.shield(work)
        finally:
            del work  # an error in it leads to this frame, and the two would keep each other

    def _next(self, work: asyncio.Future) -> None:
        self._lock.release()
        if not work.cancelled():
            work.exception()  # has been seen, if nobody waits for it any more


def bytes_in(arrays: Mapping[str, np.ndarray]) -> int:
    """The bytes of arrays, strings as bytes objects."""
    return sum(
        sum(map(len, array.ravel())) if array.dtype == object else array.nbytes for array in arrays.values()
    )
