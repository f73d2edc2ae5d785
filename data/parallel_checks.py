"""Checks of many pairs or images at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TypeVar

Progress = Callable[[int, int], None]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")
_MOST_AT_ONCE = 8  # in memory; two photographs of 24 megapixels take 0.6 GB


def check_all(
    items: Sequence[_Item], check: Callable[[_Item], _Result], show_progress: Progress
) -> list[_Result]:
    """Checks everything; decoding and transforms leave Python's lock to other threads.

    Args:
        items: such as pairs.
        check: what is called with each.
        show_progress: called with the number of those that are done, and the total.

    Returns:
        What `check` returned, in the order of `items`.
    """
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_AT_ONCE))
    try:
        futures = [pool.submit(check, item) for item in items]
        for done, _ in enumerate(as_completed(futures), 1):
            show_progress(done, len(items))
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)  # an interruption must not wait for all the others
