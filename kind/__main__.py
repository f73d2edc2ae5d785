"""`python -m kind`, and the console script."""

from __future__ import annotations

import os
import signal
import sys

_INTERRUPTED = 130


def main() -> int:
    """Runs one command; an interruption while its modules are imported leaves no traceback."""
    # NumPy's products are small here, and its threads wait busily for the next one: half of the processors.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported
    _open_closed_streams()
    try:
        with _WithoutPython():
            from kind.cli.main import main as run
        return run()
    except KeyboardInterrupt:
        sys.stderr.write("kind: interrupted; nothing was done\n")
        return _INTERRUPTED


def _open_closed_streams() -> None:
    """Gives the null device to standard streams that were closed by whoever started the process.

    Without, files that are opened later would get their numbers, and what libraries log would get into these.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115  stays open


class _WithoutPython:  # contextlib's decorator is one import more
    """Leaves Ctrl-C to the system, which ends the process: Python may lose it while it imports."""

    def __enter__(self) -> None:
        self._is_pythons = signal.getsignal(signal.SIGINT) is signal.default_int_handler
        if self._is_pythons:
            signal.signal(signal.SIGINT, signal.SIG_DFL)

    def __exit__(self, *error: object) -> None:
        if self._is_pythons:
            signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(main())
