"""Dynamic batching: waiting requests for the same signature are merged and run together."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import NamedTuple

import numpy as np

from kind.enhancing.processors import processors
from kind.serving.server.errors import ServingError, bad_request, serving_error_of
from kind.serving.server.metrics import Metrics
from kind.serving.server.parameters import Batching
from kind.serving.server.version_process import VersionProcess

_UNTIL_LOADED = 0.05  # seconds after which a model that is being loaded is looked at again

Arrays = Mapping[str, np.ndarray]


class Target(NamedTuple):
    """The destination of a request: a version of a model, and one of its signatures."""

    model: str
    runnable: VersionProcess
    signature: str


class _Answer(Future):
    """A future that knows whether it is waited for, also while it is computed."""

    is_wanted = True

    def cancel(self) -> bool:
        """Says that nobody waits; True when it had not begun."""
        self.is_wanted = False
        return super().cancel()


class _Task(NamedTuple):
    inputs: Arrays
    rows: int
    arrived: float
    end: float  # when nobody waits for it any more
    future: _Answer


_Key = tuple[Target, Hashable]  # of a queue: the second part stands for the shapes


class Scheduler:
    """Queues with threads behind them, one queue for each target and shape of input.

    A batch leaves its queue when it is full or its oldest request has waited for `batch_timeout_micros`.
    Where several threads have nothing to do, they share what waits: one batch does not keep all processors
    busy. With allowed sizes, the largest one that the waiting requests fill is taken, and the rest leaves
    right after; only where even the smallest cannot be filled, copies of the first row are added. (The real
    server always fills up to the next larger size, which costs time on a CPU and gives the same results.)
    """

    def __init__(self, parameters: Batching, observer: Metrics) -> None:
        """Starts the threads.

        Args:
            parameters: sizes and times; with `merge` off every request is a batch of its own.
            observer: its `waited` and `ran` are called from the threads, `received` from `submit`.
        """
        self.parameters = parameters
        self._observer = observer
        self._queues: dict[_Key, deque[_Task]] = {}
        self._changed = threading.Condition()
        self._stopping = False
        self._idle = 0  # threads that wait for a batch
        self._leaving: set[_Key] = set()  # of queues of which a part has left, until they are empty
        self._threads = [
            threading.Thread(target=self._work, name=f"batch-{number}", daemon=True)
            for number in range(parameters.num_batch_threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, target: Target, inputs: Arrays, rows: int, end: float) -> Future:
        """Queues a request.

        Args:
            target: where it goes.
            inputs: checked arrays.
            rows: their batch size.
            end: when nobody waits for the answer any more, in monotonic seconds; a batch ends at the latest
                of its requests.

        Returns:
            A future of the outputs, which raises `ServingError` or what the model raised. Cancelling it
            takes it from the queue; a batch of which all are cancelled is stopped.

        Raises:
            ServingError: too many rows (INVALID_ARGUMENT), or too much waits already or the server is being
                stopped (UNAVAILABLE).
        """
        limits, now, size = self.parameters, time.monotonic(), rows
        if limits.merge and rows > limits.max_batch_size:
            size = limits.max_batch_size
            if not limits.split_large:
                raise bad_request(f"Task size {rows} is larger than maximum input batch size {size}")
        tasks = [
            _Task(
                {name: array[start : start + size] for name, array in inputs.items()},
                min(size, rows - start),
                now,
                end,
                _Answer(),
            )
            for start in range(0, rows, size)
        ]
        self._enqueue(target, tasks)
        self._observer.received(target.model, rows)
        return tasks[0].future if len(tasks) == 1 else _joined(tasks)

    def stop(self) -> None:
        """Runs the waiting requests, refuses new ones, and returns when the threads have ended."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def waiting(self) -> int:
        """How many requests are queued."""
        with self._changed:
            return sum(map(len, self._queues.values()))

    def _enqueue(self, target: Target, tasks: Sequence[_Task]) -> None:
        with self._changed:
            if self._stopping:
                raise ServingError("UNAVAILABLE", "the server is being stopped")
            self._forget_cancelled(target)
            shapes = sorted((name, array.shape[1:]) for name, array in tasks[0].inputs.items())
            key = target, tuple(shapes)
            own = self._queues.get(key, ())
            grows_by = self._batches([*own, *tasks]) - self._batches(own)
            waiting = sum(self._batches(queue) for (to, _), queue in self._queues.items() if to == target)
            if grows_by and waiting + grows_by > self.parameters.max_enqueued_batches:
                raise ServingError(
                    "UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full"
                )
            self._queues.setdefault(key, deque()).extend(tasks)
            self._changed.notify()

    def _batches(self, tasks: Sequence[_Task]) -> int:
        if not self.parameters.merge:
            return len(tasks)
        return math.ceil(sum(task.rows for task in tasks) / self.parameters.max_batch_size)

    def _forget_cancelled(self, target: Target) -> None:
        for key in [key for key in self._queues if key[0] == target]:
            self._queues[key] = deque(task for task in self._queues[key] if not task.future.cancelled())
            if not self._queues[key]:
                self._forget(key)

    def _forget(self, key: _Key) -> None:
        del self._queues[key]
        self._leaving.discard(key)

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._next()):
                    if self._stopping and not self._queues:
                        return
                    self._idle += 1
                    self._changed.wait(self._until_next())
                    self._idle -= 1
                if self._queues:
                    self._changed.notify()  # more may be ready than this thread takes
            self._run(*batch)

    def _until_next(self) -> float | None:
        """Seconds until the oldest request has waited long enough; None when nothing waits."""
        now, most = time.monotonic(), self.parameters.batch_timeout_micros / 1e6
        waits = [
            _UNTIL_LOADED if target.runnable.is_loading else max(queue[0].arrived + most - now, 0)
            for (target, _), queue in self._queues.items()
        ]
        return min(waits, default=None)

    def _next(self) -> tuple[Target, list[_Task]] | None:
        """Takes the batch that has waited longest of those that may leave.

        A model that is being loaded again keeps no thread from the others.
        """
        now = time.monotonic()
        ready = [
            key
            for key, queue in self._queues.items()
            if not key[0].runnable.is_loading and (key in self._leaving or self._may_leave(queue, now))
        ]
        if not ready:
            return None
        key = min(ready, key=lambda key: self._queues[key][0].arrived)
        queue = self._queues[key]
        tasks = [queue.popleft() for _ in range(self._how_many(queue))]
        self._leaving.add(key)
        if not queue:
            self._forget(key)
        return key[0], tasks

    def _may_leave(self, queue: Sequence[_Task], now: float) -> bool:
        limits = self.parameters
        return (
            self._stopping
            or not limits.merge
            or now - queue[0].arrived >= limits.batch_timeout_micros / 1e6
            or sum(task.rows for task in queue) >= limits.max_batch_size
        )

    def _how_many(self, queue: Sequence[_Task]) -> int:
        """How many requests from the front make the batch."""
        limits = self.parameters
        if not limits.merge:
            return 1
        threads = min(1 + self._idle, processors())
        share = math.ceil(sum(task.rows for task in queue) / threads)
        share = next((size for size in limits.allowed_batch_sizes if size >= share), share)
        fits, allowed, rows = 1, 0, 0
        for count, task in enumerate(queue, start=1):
            rows += task.rows
            if rows > min(limits.max_batch_size, share):
                break
            fits = count
            if rows in limits.allowed_batch_sizes:
                allowed = count
        return allowed or fits

    def _run(self, target: Target, tasks: Sequence[_Task]) -> None:
        now = time.monotonic()
        tasks = [task for task in tasks if task.future.set_running_or_notify_cancel()]
        for task in tasks:
            self._observer.waited(target.model, now - task.arrived)
        if tasks:
            self._answer(target, tasks)

    def _answer(self, target: Target, tasks: Sequence[_Task]) -> None:
        try:
            for task, outputs in zip(tasks, self._run_together(target, tasks)):
                task.future.set_result(outputs)
            return
        except Exception as error:
            # Without its traceback, which leads to this frame: the two would keep each other.
            failed = serving_error_of(error).with_traceback(None)
        if len(tasks) == 1:
            tasks[0].future.set_exception(failed)
            return
        # One request's bad image must not fail the others'.
        for task in tasks:
            self._answer(target, [task])

    def _run_together(self, target: Target, tasks: Sequence[_Task]) -> list[dict[str, np.ndarray]]:
        rows = sum(task.rows for task in tasks)
        padding = next((size - rows for size in self.parameters.allowed_batch_sizes if size >= rows), 0)
        inputs = {name: _stacked([task.inputs[name] for task in tasks], padding) for name in tasks[0].inputs}
        started = time.monotonic()
        left = max(task.end for task in tasks) - started
        if left <= 0:
            raise ServingError("DEADLINE_EXCEEDED", "not answered in time")
        outputs = target.runnable.run(
            target.signature, inputs, left, lambda: any(task.future.is_wanted for task in tasks)
        )
        self._observer.ran(target.model, rows, padding, time.monotonic() - started)
        if len(tasks) == 1 and not padding:
            return [outputs]
        _check_batch_dimension(outputs, rows + padding)
        ends = np.cumsum([task.rows for task in tasks])
        return [
            {name: array[end - task.rows : end] for name, array in outputs.items()}
            for task, end in zip(tasks, ends)
        ]


def _stacked(parts: list[np.ndarray], padding: int) -> np.ndarray:
    if padding:
        parts = [*parts, *[parts[0][:1]] * padding]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _check_batch_dimension(outputs: Arrays, rows: int) -> None:
    for name, array in outputs.items():
        if array.ndim < 1 or array.shape[0] != rows:
            raise ServingError(
                "FAILED_PRECONDITION",
                f"output {name!r} has no batch dimension: this signature cannot be batched",
            )


def _joined(tasks: Sequence[_Task]) -> Future:
    """Combines the parts of a request into one future of the whole.

    Args:
        tasks: the parts, each with some of the rows.

    Returns:
        A future of all rows together. It fails with the first part that does, and cancelling it cancels all.
    """
    whole: Future = Future()
    parts = [task.future for task in tasks]

    def wait_for_next(done: Future) -> None:
        waited_for = next((part for part in parts if not part.done()), None)
        if waited_for and not done.cancelled() and not done.exception():
            waited_for.add_done_callback(wait_for_next)
        elif whole.set_running_or_notify_cancel():
            try:
                results = [part.result() for part in parts]
                for task, outputs in zip(tasks, results):
                    _check_batch_dimension(outputs, task.rows)
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
