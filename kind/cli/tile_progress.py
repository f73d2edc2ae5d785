"""How far a large image is, on stderr."""

from __future__ import annotations

import sys
import time

_FIRST_AFTER = 1.0  # seconds: shorter work shows nothing
_LINE_EVERY = 10.0  # seconds, where lines cannot be overwritten
_WIDTH = 20


class TileProgress:
    """A bar on a terminal, which goes when the block ends; elsewhere a line from time to time."""

    def __init__(self, name: str) -> None:
        """Takes what the image is called."""
        self._name = name
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> TileProgress:
        """Starts the clock."""
        self._started = self._last = time.monotonic()
        self._shown = 0
        return self

    def __call__(self, done: int, total: int) -> None:
        """Shows how many tiles are done of how many, when it is time to."""
        now = time.monotonic()
        if now - self._last < (_FIRST_AFTER if self._terminal else _LINE_EVERY) or done == total:
            return
        left = (now - self._started) / done * (total - done)
        text = f"{done}/{total} tiles, {left:.0f} s left"
        if self._terminal:
            full = round(_WIDTH * done / total)
            text = (
                f"{self._name} [{'#' * full}{'.' * (_WIDTH - full)}] {done}/{total} tiles, {left:.0f} s left"
            )
            sys.stderr.write(f"\r{text.ljust(self._shown)}")
            self._shown = len(text)
        else:
            sys.stderr.write(f"kind: {self._name}: {text}\n")
            self._last = now
        sys.stderr.flush()

    def __exit__(self, *error: object) -> None:
        """Wipes the bar."""
        if self._shown:
            sys.stderr.write(f"\r{' ' * self._shown}\r")
            sys.stderr.flush()
