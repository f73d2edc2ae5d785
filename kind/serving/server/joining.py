"""Joins the results of a request that was split."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np

from kind.serving.server.errors import serving_error_of


def joined(parts: Sequence[Future]) -> Future:
    """Combines futures of parts into one future of the whole.

    Args:
        parts: futures of arrays by name, each with some of the rows.

    Returns:
        A future of all rows together. It fails with the first part that does, and cancelling it cancels all.
    """
    whole: Future = Future()

    def wait_for_next(done: Future) -> None:
        waited_for = next((part for part in parts if not part.done()), None)
        if waited_for and not done.cancelled() and not done.exception():
            waited_for.add_done_callback(wait_for_next)
        elif whole.set_running_or_notify_cancel():
            try:
                results = [part.result() for part in parts]
                whole.set_result({name: _joined_rows([one[name] for one in results]) for name in results[0]})
            except BaseException as error:
                whole.set_exception(serving_error_of(error).with_traceback(None))

    def cancel(_: Future) -> None:
        for part in parts:  # those that are done stay so
            part.cancel()

    whole.add_done_callback(cancel)
    parts[0].add_done_callback(wait_for_next)
    return whole


def _joined_rows(arrays: list[np.ndarray]) -> np.ndarray:
    """Rows one after another, filled up with zeros where they differ in width (boxes, scores)."""
    if len({array.shape[1:] for array in arrays}) == 1:
        return np.concatenate(arrays)
    widest = np.max([array.shape[1:] for array in arrays], axis=0)
    fill = b"" if arrays[0].dtype == object else 0
    padded = [
        np.pad(array, [(0, 0), *((0, w - n) for w, n in zip(widest, array.shape[1:]))], constant_values=fill)
        for array in arrays
    ]
    return np.concatenate(padded)
