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
    """What working on one thing gave.

    Attributes:
        cell: what a table says of it.
        write: writes whatever there is to write; called in another thread, beside those of other things.
        then: called when that has succeeded, in the order of the jobs and in the thread that works.
    """

    cell: str
    write: Callable[[], None]
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


def run_pipelined(
    jobs: Iterable[Job],
    read: Callable[[Job], Read],
    work: Callable[[Job, Read], Worked],
    failures: type[Exception] | tuple[type[Exception], ...],
    workers: int = 1,
) -> Iterator[Finished]:
    """Does jobs one after another in this thread, and in others reads ahead and writes.

    Once it is interrupted or closed, or something else than `failures` is raised, nothing more is read or
    worked on; what was being written is finished first.

    Args:
        jobs: what to do.
        read: makes of a job what `work` needs.
        work: see `Worked`.
        failures: what ends a job and not the rest. Anything else is raised.
        workers: threads that read, and threads that write; so many jobs are read ahead and wait to be
            written at most. 0 does everything in this thread.

    Yields:
        The end of each job, in the order of `jobs`.
    """
    waiting = iter(jobs)
    ahead: deque[tuple[Job, Future]] = deque()
    writing: deque[_Unwritten] = deque()

    def read_ahead(count: int) -> None:
        while len(ahead) < count:
            for job in waiting:
                ahead.append((job, readers.submit(_timed, read, job)))
                break
            else:
                return

    def the_rest() -> Iterator[Finished]:
        while writing:
            yield writing.popleft().finished(failures)

    readers, writers = (ThreadPoolExecutor(workers) if workers else _Here() for _ in range(2))
    try:
        read_ahead(max(1, workers))
        while ahead:
            job, reading = ahead.popleft()
            found, seconds, error = _outcome(reading, failures)
            read_ahead(workers)
            worked = future = None
            if error is None:
                worked, its_seconds, error = _outcome(_Here().submit(_timed, work, job, found), failures)
                seconds += its_seconds
            if error is None:
                future = writers.submit(_timed, worked.write)
            writing.append(_Unwritten(job, found, worked, seconds, error, future))
            while writing and (len(writing) > workers or writing[0].is_written):
                yield writing.popleft().finished(failures)
            read_ahead(max(1, workers))
        yield from the_rest()
    except (Exception, KeyboardInterrupt):
        readers.shutdown(wait=False, cancel_futures=True)
        yield from the_rest()
        raise
    finally:
        readers.shutdown(wait=False, cancel_futures=True)
        for _ in the_rest():
            pass
        writers.shutdown()


class _Unwritten(NamedTuple):
    """A job that waits for its end, which may be there already."""

    job: object
    read: object
    worked: Worked | None
    seconds: float
    error: Exception | None
    future: Future | None

    @property
    def is_written(self) -> bool:
        return self.future is None or self.future.done()

    def finished(self, failures) -> Finished:
        """Waits until it is written."""
        if self.error is not None:
            return Finished(self.job, self.read, None, self.seconds, self.error)
        _, seconds, error = _outcome(self.future, failures)
        if error is None and self.worked.then:
            self.worked.then()
        return Finished(self.job, self.read, self.worked.cell, self.seconds + seconds, error)


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
