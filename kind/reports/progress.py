"""Progress of long work on stderr, by tqdm."""

from __future__ import annotations

import sys
from typing import TextIO

from tqdm import tqdm

_EVERY = 5.0  # seconds between lines, where lines cannot be overwritten
_LINE = "{n_fmt} of {total_fmt}{unit}{postfix}, {rate_noinv_fmt}, {remaining} left"
_BAR = "{percentage:3.0f}%|{bar}| "


class Progress:
    """A bar on a terminal; elsewhere one line every five seconds and a last one: done, speed, time left.

    Example:
        >>> with Progress("images") as progress:
        ...     for done, path in enumerate(paths, 1):
        ...         progress(done, len(paths))
    """

    def __init__(self, unit: str, doing: str = "") -> None:
        """Starts the clock.

        Args:
            unit: what is counted, in the plural.
            doing: what is done with them, such as "decoding images".
        """
        line = f"{doing} {_LINE}" if doing else _LINE
        terminal = sys.stderr.isatty()
        self._bar = _Bar(
            unit=f" {unit}",
            file=sys.stderr if terminal else _Lines(sys.stderr),
            bar_format=_BAR + line if terminal else line,
            smoothing=0,  # the average speed: what is left is as slow as what was done
            miniters=1,
            mininterval=0.1 if terminal else _EVERY,
            delay=1e-3 if terminal else _EVERY,  # nothing is shown before there is something to show
            leave=terminal,
        )

    def __enter__(self) -> Progress:
        """Returns itself."""
        return self

    def __call__(self, done: int, total: int, kept: int = 0) -> None:
        """Shows how far the work is, when it is time to.

        Args:
            done: how many there are by now.
            total: how many there will be.
            kept: how many of `done` were there before, and say nothing about the speed.
        """
        self._bar.total, self._bar.initial = total, kept
        if kept:
            self._bar.set_postfix_str(f"{kept} kept from before", refresh=False)
        if done < total:
            self._bar.update(done - self._bar.n)
        else:  # this line comes whatever the time
            self._bar.n = done
            self._bar.refresh()
            self._bar.close()

    def __exit__(self, *error: object) -> None:
        """Ends the bar's line, also when the work was interrupted."""
        self._bar.close()


class _Bar(tqdm):
    monitor_interval = 0  # no thread of its own


class _Lines:
    """Turns what tqdm writes over and over at the start of one line into lines of a log."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        if text := text.strip():
            self._file.write(f"{text}\n")

    def flush(self) -> None:
        self._file.flush()
