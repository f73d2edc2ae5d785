"""One step of a chain in a thread of its own, a few items ahead of whoever takes them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def ahead(items: Iterable[Item], most: int) -> Iterator[Item]:
    """Iterates in a thread; at most so many items wait to be taken.

    What the iteration raises is raised here, in its place. When the caller closes the iterator, the thread
    ends after the item that it is working on.

    Args:
        items: to iterate over.
        most: from 1 on.
    """
    waiting: queue.Queue = queue.Queue(most)
    is_left = threading.Event()

    def put(item: object) -> bool:
        while not is_left.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def run() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    break
            else:
                put((_END, None))
        except BaseException as error:  # whoever waits must hear of it
            put((_END, error))
        finally:
            if hasattr(items, "close"):
                items.close()

    thread = threading.Thread(target=run, name="decoding", daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        is_left.set()
        thread.join()
