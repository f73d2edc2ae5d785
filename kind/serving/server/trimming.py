"""Gives memory that a process has freed back to the system."""

from __future__ import annotations

import os
import threading
import time
from collections import deque

from kind.enhancing.tiling.freed_memory import give_back_small_pieces
from kind.serving.server.processes import resident

_POLL_SECONDS = 0.25
_LOOKS = 3
_TRIES = 6  # 1, 2, 4, … seconds after each other: what is in use now may be freed without a trace


def trim_in_background(moved: int) -> None:
    """Starts a thread that gives freed memory back when the process has held more, or less, for some time.

    What was freed in many small pieces stays with the process, and looks as if it were in use. Under a
    steady load nothing is given back, since it would be taken again at once.

    Args:
        moved: bytes that it must hold more or less than before.
    """
    threading.Thread(target=_trim, args=(moved,), name="trimming", daemon=True).start()


def _trim(moved: int) -> None:
    base, looks = resident(os.getpid()), deque(maxlen=_LOOKS)
    tries, pause, due = 0, 0.0, 0.0
    while True:
        time.sleep(_POLL_SECONDS)
        looks.append(resident(os.getpid()))
        if len(looks) == _LOOKS and (min(looks) > base + moved or max(looks) < base - moved):
            tries, pause, due = _TRIES, 1.0, 0.0
        if tries and time.monotonic() >= due:
            give_back_small_pieces()
            base = resident(os.getpid())
            tries, due, pause = tries - 1, time.monotonic() + pause, 2 * pause
            looks.clear()
