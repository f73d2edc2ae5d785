"""Reading, working and writing at the same time: the next photograph is read while the last is written."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import NamedTuple, TypeVar

Job = TypeVar("Job")
Read = TypeVar("Read")


class Worked(NamedTuple):
    """The result of working on one job.

    Attributes:
        cell: what a table says of it.
        write: writes whatever there is to write; called in another thread, beside those of other jobs.
        then: called when that has succeeded, in the order of the jobs and in the thread that works.
    """

    cell: str
    write: Callable[[], None] = lambda: None
    then: Callable[[], None] | None = None


class Finished(NamedTuple):  # generic in Job and Read, which Python 3.9 and 3.10 cannot say of a NamedTuple
    """One job's end.

    Attributes:
        job: the job.
        read: what was read, None when that failed.
        cell: see `Worked`; None when it failed.
        seconds: for reading, working and writing, waiting left out.
        error: what went wrong, or None.
    """

    job: Job
    read: Read | None
    cell: str | None
    seconds: float
    error: Exception | None


class Task:
    """One job whose input has been read: a `with` block in which it is worked on.

    One of the pipeline's `failures` that is raised in the block ends the task and not the loop.

    Attributes:
        job: the job.
        read: what was read.
        worked: to be set in the block.
    """

    def __init__(self, job: Job, read: Read, seconds: float, error: Exception | None, failures) -> None:
        """Takes what reading gave."""
        self.job, self.read, self.seconds, self.error = job, read, seconds, error
        self.worked = Worked("")
        self._failures = failures

    def __enter__(self) -> Task:
        """Starts the clock."""
        self._started = time.perf_counter()
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        """Stops the clock and keeps a failure for the report."""
        self.seconds += time.perf_counter() - self._started
        if isinstance(error, self._failures):
            self.error = error
            return True
        return False


class Pipeline:
    """Reads jobs ahead of the loop that works on them, and writes their results behind it.

    When the block is left early, by an interruption or an error, nothing more is read or worked on; what was
    being written is finished and reported first.

    Example:
        >>> with Pipeline(paths, read_photo, UserError, report=print) as pipeline:
        ...     for task in pipeline:
        ...         with task:
        ...             task.worked = Worked("done", functools.partial(write, task.job, work(task.read)))
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        read: Callable[[Job], Read],
        failures: type[Exception] | tuple[type[Exception], ...],
        report: Callable[[Finished], None],
        workers: int = 1,
    ) -> None:
        """Starts the threads.

        Args:
            jobs: what to do.
            read: returns the input of a job.
            failures: exceptions that end a job and not the rest. Anything else is raised.
            report: called with the end of each job, in the order of `jobs` and in the thread that works.
            workers: number of threads that read, and of threads that write; at most so many jobs are read
                ahead, and at most so many wait to be written. 0 does everything in the calling thread.
        """
        self._waiting, self._read, self._failures, self._report = iter(jobs), read, failures, report
        self._workers = workers
        self._readers, self._writers = (ThreadPoolExecutor(workers) if workers else _Here() for _ in range(2))
        self._ahead: deque[tuple[Job, Future]] = deque()
        self._writing: deque[tuple[Task, Future | None]] = deque()

    def __enter__(self) -> Pipeline:
        """Nothing to prepare."""
        return self

    def __iter__(self) -> Iterator[Task]:
        """Yields each job whose input could be read, in order."""
        self._read_ahead(max(1, self._workers))
        while self._ahead:
            job, reading = self._ahead.popleft()
            task = Task(job, *_outcome(reading, self._failures), self._failures)
            del reading  # what was read is in the task alone, which may drop a part of it
            self._read_ahead(self._workers)
            if task.error is None:
                yield task
            future = None if task.error else self._writers.submit(_timed, task.worked.write)
            self._writing.append((task, future))
            while self._writing and (len(self._writing) > self._workers or _is_written(self._writing[0])):
                self._end_first()
            self._read_ahead(max(1, self._workers))

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Finishes what is being written, and raises the first bug that shows up there."""
        self._readers.shutdown(wait=False, cancel_futures=True)
        bugs = []
        try:
            while self._writing:
                try:
                    self._end_first()
                except Exception as bug:
                    bugs.append(bug)
        finally:
            self._writers.shutdown()
        if bugs and error is None:
            raise bugs[0]

    def _read_ahead(self, count: int) -> None:
        while len(self._ahead) < count:
            for job in self._waiting:
                self._ahead.append((job, self._readers.submit(_timed, self._read, job)))
                break
            else:
                return

    def _end_first(self) -> None:
        """Waits until the first unreported job is written, and reports it."""
        task, future = self._writing.popleft()
        error, cell = task.error, None
        if error is None:
            _, seconds, error = _outcome(future, self._failures)
            task.seconds += seconds
        if error is None:
            cell = task.worked.cell
            if task.worked.then:
                task.worked.then()
        self._report(Finished(task.job, task.read, cell, task.seconds, error))


def _is_written(writing: tuple[Task, Future | None]) -> bool:
    return writing[1] is None or writing[1].done()


class _Here(Executor):
    """Runs what it is given at once, in the same thread."""

    def submit(self, call, /, *arguments):
        future: Future = Future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future


def _timed(call: Callable, *arguments) -> tuple[object, float]:
    started = time.perf_counter()
    return call(*arguments), time.perf_counter() - started


def _outcome(future: Future, failures) -> tuple[object, float, Exception | None]:
    """A result with its seconds, or the failure in their place."""
    try:
        return (*future.result(), None)
    except failures as error:
        return None, 0.0, error
