"""Processes that another one starts and calls: both sides.

A call is a message over the process's standard input, its answer one over its standard output. The process
ends when its input does, so it never outlives the one that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import itertools
import mmap
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from kind.serving.server.errors import ServingError, words_of
from kind.serving.wire import Arrays, read_message, write_message

if sys.platform == "linux":
    import fcntl

_SET_PIPE_SIZE = 1031  # Linux's F_SETPIPE_SZ, which Python 3.9 does not name
_PIPE = 1 << 20  # bytes; in the usual 64 KiB an array of 400×600 takes 2 ms longer
_CLOSING = 1.0
_POLL_SECONDS = 0.25
_MOST_CALLS = 256

Answer = Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays]]


class ChildEnded(Exception):
    """A process has ended before it answered.

    Attributes:
        guilty: whether the call was the only one, and nobody else ended the process.
    """

    def __init__(self, code: int, guilty: bool) -> None:
        """Says how: `code` is the process's, negative for a signal."""
        named = code < 0 and -code in {number.value for number in signal.Signals}
        super().__init__(signal.Signals(-code).name if named else f"exit code {code}")
        self.guilty = guilty


class Child:
    """A started process."""

    def __init__(self, module: str) -> None:
        """Starts it.

        Args:
            module: its `main` is called, which calls `answer_calls`.
        """
        # Not `-m`, which would look for modules in the folder that the user happens to be in.
        code = f"import sys; sys.path[:] = {sys.path!r}; from {module} import main; main()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if sys.platform == "linux":
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE)
        self._numbers = itertools.count()
        self._calls: dict[int, Future] = {}
        self._lock, self._writing = threading.Lock(), threading.Lock()
        self._is_killed = self._has_ended = False
        self._reader = threading.Thread(target=self._read, name=f"answers of {module}", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether no call can be answered any more."""
        return self._has_ended or self._is_killed

    def call(
        self,
        header: Mapping[str, Any],
        arrays: Arrays,
        seconds: float,
        is_wanted: Callable[[], bool] | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Calls the process and waits for the answer; several threads may call at the same time.

        Args:
            header: what JSON can hold.
            arrays: by name.
            seconds: after which the process is killed.
            is_wanted: whether anybody waits for the answer; if not, the process is told to stop, and the
                answer is an error (CANCELLED).

        Returns:
            The answer's header and arrays.

        Raises:
            ServingError: the answer is an error, or late (DEADLINE_EXCEEDED).
            ChildEnded: the process ended first.
        """
        number, answer = next(self._numbers), Future()
        with self._lock:
            if self._has_ended:
                raise ChildEnded(self._process.returncode, False)
            self._calls[number] = answer
        timer = threading.Timer(seconds, self._end_late, (number,))
        timer.daemon = True
        timer.start()
        self._tell({"call": number, **header}, arrays)
        try:
            while is_wanted and not wait((answer,), _POLL_SECONDS).done:
                if not is_wanted():  # told again and again: the run may not have begun
                    self._tell({"call": next(self._numbers), "do": "stop", "run": number}, {})
            header, arrays = answer.result()
        finally:
            timer.cancel()
            del answer  # an error in it leads to this frame
        if "code" in header:
            raise ServingError(header["code"], header["error"], header["http"])
        return header, arrays

    def _tell(self, header: Mapping[str, Any], arrays: Arrays) -> None:
        # The reader sees the end of the process, or that its input is closed.
        with contextlib.suppress(OSError, ValueError), self._writing:
            write_message(self._process.stdin, header, arrays)

    def kill(self) -> None:
        """Ends the process at once; calls raise `ChildEnded`."""
        self._is_killed = True
        self._process.kill()

    def retire(self) -> None:
        """Waits until its calls are answered, then ends the process."""
        while self._calls:
            wait(list(self._calls.values()))
        self.kill()

    def close(self) -> None:
        """Kills the process and waits until it is gone."""
        self.kill()
        self._reader.join(_CLOSING)

    def _end_late(self, number: int) -> None:
        with self._lock:
            answer = self._calls.pop(number, None)
        if answer:
            answer.set_exception(ServingError("DEADLINE_EXCEEDED", "not answered in time"))
            self.kill()

    def _read(self) -> None:
        try:
            while message := read_message(self._process.stdout):
                header, arrays = message
                with self._lock:
                    answer = self._calls.pop(header.pop("call"), None)
                if answer:
                    answer.set_result((header, arrays))
                del message, header, arrays, answer
        except (EOFError, OSError, ValueError):
            pass
        except Exception:  # nobody would read the next answer
            traceback.print_exc()
        self._process.kill()
        code = self._process.wait()
        with self._lock:
            self._has_ended = True
            calls, self._calls = list(self._calls.values()), {}
        for answer in calls:
            answer.set_exception(ChildEnded(code, len(calls) == 1 and not self._is_killed))
        self._process.stdout.close()
        with self._writing, contextlib.suppress(OSError):
            self._process.stdin.close()


def answer_calls(answer: Answer) -> None:
    """Answers calls, several at a time, until the caller is gone; then the process ends, whatever it does.

    Args:
        answer: (header, arrays) → (header, arrays); what it raises is the answer, too. Called in threads. The
            first header has the number of the call, "call".
    """
    # The caller tells its processes when to end, also where a terminal or a supervisor tells all of them.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    calls, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the answers
    writing = threading.Lock()

    def answer_one(number: int, header: dict[str, Any], arrays: Arrays) -> None:
        try:
            header, arrays = answer(header, arrays)
        except BaseException as error:
            words = words_of(error)
            header, arrays = {"code": words.code, "error": words.message, "http": words.http_status}, {}
        with writing:
            write_message(answers, {"call": number, **header}, arrays)

    threads = ThreadPoolExecutor(_MOST_CALLS)
    try:
        while message := read_message(calls):
            header, arrays = message
            threads.submit(answer_one, header["call"], header, arrays)
            del message, header, arrays
    except (EOFError, OSError):
        pass
    finally:
        os._exit(0)


def resident(pid: int) -> int:
    """Bytes of memory that a process has; 0 where the system does not say."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * mmap.PAGESIZE
    except (OSError, ValueError, IndexError):
        return 0
