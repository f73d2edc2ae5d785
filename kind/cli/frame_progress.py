"""Progress of one video, on stderr: frames a second, and the time that is left."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

from kind.errors import one_line

_LINE_EVERY = 10.0  # seconds, where lines cannot be overwritten
_BAR = "{desc} |{bar:20}| {n_fmt} of {total_fmt} frames, {postfix}{remaining} left"


class FrameProgress:
    """A bar on a terminal, which is wiped when the block ends; elsewhere a line from time to time.

    Attributes:
        seconds: since the first frame of this run.
    """

    def __init__(self, name: str) -> None:
        """Takes what the video is called."""
        self._name = one_line(name)
        self._bar: tqdm | None = None
        self._first: int | None = None
        self._done = 0

    def __enter__(self) -> FrameProgress:
        """Starts the clock."""
        self._started = self._last = time.monotonic()
        return self

    @property
    def seconds(self) -> float:
        """Since the block began."""
        return time.monotonic() - self._started

    @property
    def rate(self) -> float:
        """Frames a second that this run has made."""
        return (self._done - (self._first or 0)) / max(self.seconds, 1e-9)

    def __call__(self, done: int, total: int) -> None:
        """Shows how many frames are done of how many; the first call says where this run begins."""
        if self._first is None:
            self._first, self._started = done, time.monotonic()
            if done:
                text = f"{done} of {total} frames are there already, {total - done} frames left"
                print(f"kind: {self._name}: {text}", file=sys.stderr, flush=True)
        self._done = done
        if sys.stderr.isatty():
            self._show_bar(done, total)
        elif time.monotonic() - self._last >= _LINE_EVERY and self._first < done < total:
            left = (total - done) / self.rate
            text = f"{done} of {total} frames, {self.rate:.1f} frames/s, {left:.0f} s left"
            print(f"kind: {self._name}: {text}", file=sys.stderr, flush=True)
            self._last = time.monotonic()

    def _show_bar(self, done: int, total: int) -> None:
        if self._bar is None:
            self._bar = tqdm(
                desc=self._name, total=total, initial=done, leave=False, bar_format=_BAR, file=sys.stderr
            )
        self._bar.set_postfix_str(f"{self.rate:.1f} frames/s, ", refresh=False)
        self._bar.update(done - self._bar.n)

    def __exit__(self, *error: object) -> None:
        """Wipes the bar."""
        if self._bar is not None:
            self._bar.close()
