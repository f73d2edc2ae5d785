"""Work that is too long for the event loop, where all requests would wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np

_LARGE = 1 << 18  # bytes of a request or an answer

Result = TypeVar("Result")


async def call_in_thread_if_large(size: int, function: Callable[..., Result], *arguments) -> Result:
    """Calls a function, in a thread when it has many bytes to work through.

    Args:
        size: the number of bytes.
        function: what is called.
        *arguments: of the function.

    Returns:
        What the function returns; what it raises is raised.
    """
    if size < _LARGE:
        return function(*arguments)
    return await asyncio.get_running_loop().run_in_executor(None, function, *arguments)


def bytes_in(arrays: Mapping[str, np.ndarray]) -> int:
    """The bytes of arrays, strings as bytes objects."""
    return sum(
        sum(map(len, array.ravel())) if array.dtype == object else array.nbytes for array in arrays.values()
    )
