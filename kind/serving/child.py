"""The side of a process that another one has started to call it; see `kind.serving.server.processes`."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from kind.serving.server.errors import serving_error_of
from kind.serving.wire import Arrays, read_message, write_message

_MOST_CALLS = 256

Answer = Callable[[dict[str, Any], Arrays], tuple[dict[str, Any], Arrays]]


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
            refused = serving_error_of(error)
            header, arrays = {"code": refused.code, "error": refused.message, "http": refused.http_status}, {}
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
