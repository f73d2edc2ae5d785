"""Refuses to compute in a process that was forked after networks were used, where it would wait for ever."""

from __future__ import annotations

import os

from kind.errors import UserError

_used_in: int | None = None  # the process; a forked child inherits the number, a spawned one does not


def refuse_forked() -> None:
    """Notes that this process uses TensorFlow, or OpenVINO.

    A forked child has their locks and queues, but none of the threads that work on them.

    Raises:
        UserError: in a child of a process that had used it.
    """
    global _used_in
    process = os.getpid()
    if _used_in is None:
        _used_in = process
    elif _used_in != process:
        raise UserError(
            "this process was forked from one in which networks were in use, and they do not work in "
            "such a child: start it anew with multiprocessing.get_context('spawn'), or load networks only "
            "after the fork"
        )
