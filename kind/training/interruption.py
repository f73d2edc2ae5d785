"""Ctrl-C and SIGTERM while training: finished epochs are saved before the process ends."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


class Terminated(KeyboardInterrupt):
    """The process was asked to end, by SIGTERM."""


_ERRORS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}


class Interruption:
    """Ends a training at the first signal, or after the epoch when finished epochs are still unsaved.

    Epochs are unsaved for half a minute at most, so that is how long a signal may have to wait. A second
    signal ends the training at once.

    Attributes:
        asked: whether a signal is waiting for the end of the epoch.
        unsaved: set while finished epochs are in no checkpoint.
    """

    def __init__(self) -> None:
        """Reacts to nothing until `caught`."""
        self.unsaved = False
        self._error: type[KeyboardInterrupt] | None = None

    @property
    def asked(self) -> bool:
        """Whether a signal is waiting."""
        return self._error is not None

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Takes SIGTERM, and SIGINT unless it is ignored, for the length of the block.

        Raises:
            KeyboardInterrupt: out of the block, after SIGINT; `Terminated` after SIGTERM.
        """
        if threading.current_thread() is not threading.main_thread():  # only that one may choose
            yield
            return
        before = {number: signal.getsignal(number) for number in _ERRORS}
        if before[signal.SIGINT] is not signal.default_int_handler:
            del before[signal.SIGINT]
        for number in before:
            signal.signal(number, lambda number, frame: self.handle(number))
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle(self, number: int) -> None:
        """What is done about a signal, of which the number is given."""
        if self.unsaved and not self.asked:
            self._error = _ERRORS[number]
        else:
            raise _ERRORS[number]

    def end_if_asked(self) -> None:
        """Raises what a waiting signal stands for; to be called once the epoch is saved."""
        if self._error:
            raise self._error
