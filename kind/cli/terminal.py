"""How text reaches the terminal: what is printed can always be printed, and never stops the work."""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO

NOT_SHOWN, READER_GONE = 2, 141  # exit codes; 141 is what a shell shows of a program that SIGPIPE ended

# What moves the cursor, rings, colours or names the window; progress bars return to the start of their line
# and go up one.
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_CONTROLS_BUT_OF_BARS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[A)")


class ReaderGone(BaseException):
    """The program that reads stdout has ended, as `head` does. No error: nobody catches it on the way."""


class _Stream(io.TextIOBase):
    """A text stream on another one.

    Letters that its encoding lacks, bytes of file names that are no text, and control characters are written
    as escapes. When it can take no more, the rest is dropped.

    Attributes:
        failure: why the rest was dropped, or None.
    """

    def __init__(self, stream: TextIO, controls: re.Pattern[str]) -> None:
        self._stream, self._controls = stream, controls
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @property
    def encoding(self) -> str:
        return getattr(self._stream, "encoding", None) or "utf-8"

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(printable(text, self.encoding, self._controls)))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def close(self) -> None:
        """Leaves the stream below open."""

    def _try(self, action: Callable[[], object]) -> None:
        if self.failure:
            return
        try:
            action()
        except OSError as error:
            self.failure = error
            drop_rest(self._stream)
            if isinstance(error, BrokenPipeError):
                raise ReaderGone from error


def drop_rest(stream: TextIO) -> None:
    """Lets what Python still holds of a stream that takes no more go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def printable(text: str, encoding: str, controls: re.Pattern[str] = _CONTROLS) -> str:
    """Text with everything escaped that an encoding lacks or that moves a terminal's cursor."""
    text = controls.sub(lambda found: ascii(found[0])[1:-1], text)
    return text.encode(encoding, "backslashreplace").decode(encoding)


class Outcome:
    """What a command has come to.

    Attributes:
        code: its exit code.
    """

    code: Any = 0


@contextlib.contextmanager
def guarded() -> Iterator[Outcome]:
    """Gives a command stdout and stderr that can always be printed to, for the length of a `with` block.

    Yields:
        Where the block puts its exit code, unless it raises SystemExit. Afterwards the code is 141 when
        whoever read the output went away, and 2, with one line on stderr, when the work is done but its
        output could not be written.
    """
    before, outcome = (sys.stdout, sys.stderr), Outcome()
    out, err = (
        stream and _Stream(stream, controls)
        for stream, controls in zip(before, (_CONTROLS, _CONTROLS_BUT_OF_BARS))
    )
    sys.stdout, sys.stderr = out, err
    try:
        yield outcome
        outcome.code = _finished(outcome.code, out)
    except SystemExit as end:  # of --help and wrong arguments
        code = _finished(end.code, out)
        raise SystemExit(code) from None
    except ReaderGone:
        outcome.code = READER_GONE
    finally:
        sys.stdout, sys.stderr = before


def run_guarded(work: Callable[[], int]) -> int:
    """Calls a command's function in a `guarded` block; returns the exit code."""
    with guarded() as outcome:
        outcome.code = work()
    return outcome.code


def _finished(code: Any, out: _Stream | None) -> Any:
    """The exit code, once all output is written."""
    try:
        if out:
            out.flush()
    except ReaderGone:
        return READER_GONE
    if out and out.failure and not isinstance(out.failure, BrokenPipeError):
        reason = out.failure.strerror or out.failure
        print(f"kind: the work is done, but its output cannot be written ({reason})", file=sys.stderr)
        return NOT_SHOWN
    return code
