"""How far long work is."""

from __future__ import annotations

import sys
import time

_EVERY = 5.0  # seconds


class Progress:
    """Lines on stderr, one every five seconds and a last one: done, speed, time left."""

    def __init__(self, unit: str) -> None:
        """Starts the clock.

        Args:
            unit: what is counted, in the plural.
        """
        self._unit = unit
        self._start = self._last = time.monotonic()

    def __call__(self, done: int, total: int, kept: int = 0) -> None:
        """Prints a line when it is time for one.

        Args:
            done: how many there are by now.
            total: how many there will be.
            kept: how many of `done` were there before, and say nothing about the speed.
        """
        now = time.monotonic()
        if done < total and now - self._last < _EVERY:
            return
        self._last = now
        rate = (done - kept) / max(now - self._start, 1e-9)
        left = f"{(total - done) / rate:.0f} s left" if rate else "time left unknown"
        before = f", {kept} kept from before" if kept else ""
        print(f"{done}/{total} {self._unit}{before}, {rate:.2f}/s, {left}", file=sys.stderr, flush=True)
