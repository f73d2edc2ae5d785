"""Progress of one large image, on stderr."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from kind.errors import one_line

_FIRST_AFTER = 1.0  # seconds: shorter work shows nothing
_LINE_EVERY = 10.0  # seconds, where lines cannot be overwritten
_BAR = "{desc} |{bar:20}| {n_fmt} of {total_fmt} tiles, {remaining} left"


class TileProgress:
    """A bar on a terminal, which is wiped when the block ends; elsewhere a line from time to time."""

    def __init__(self, name: str) -> None:
        """Takes what the image is called."""
        self._name = one_line(name)
        self._terminal = sys.stderr.isatty()
        self._bar: tqdm | None = None

    def __enter__(self) -> TileProgress:
        """Starts the clock."""
        self._started = self._last = time.monotonic()
        return self

    def __call__(self, done: int, total: int) -> None:
        """Shows how many tiles are done of how many, when it is time to."""
        now = time.monotonic()
        if now - self._last < (_FIRST_AFTER if self._terminal else _LINE_EVERY) or done == total:
            return
        if not self._terminal:
            left = (now - self._started) / done * (total - done)
            print(
                f"kind: {self._name}: {done} of {total} tiles, {left:.0f} s left", file=sys.stderr, flush=True
            )
            self._last = now
            return
        if self._bar is None:
            self._bar = tqdm(desc=self._name, total=total, leave=False, bar_format=_BAR, file=sys.stderr)
            self._bar.start_t -= now - self._started  # the tiles before the bar took time as well
        self._bar.update(done - self._bar.n)
        self._bar.refresh()

    def __exit__(self, *error: object) -> None:
        """Wipes the bar."""
        if self._bar is not None:
            self._bar.close()
