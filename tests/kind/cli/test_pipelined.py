"""Reading ahead, working and writing at the same time: order, bounds, failures and interruptions."""

import threading
import time

import pytest

from kind.cli.pipelined import Worked, run_pipelined


class Failure(Exception):
    pass


def failing(number, at):
    if number == at:
        raise Failure(f"no {number}")
    return number


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_jobs_end_in_order_and_a_failure_at_any_step_stops_only_its_own(workers):
    done = []

    def work(job, read):
        failing(job, 3)
        time.sleep(0.002 * (job % 3))
        return Worked(f"cell {read}", lambda: failing(job, 5) and None, lambda: done.append(job))

    ends = list(run_pipelined(range(8), lambda job: failing(job, 1), work, Failure, workers))
    assert [end.job for end in ends] == list(range(8))
    assert [end.job for end in ends if end.error] == [1, 3, 5]
    assert [str(end.error) for end in ends if end.error] == ["no 1", "no 3", "no 5"]
    assert done == [0, 2, 4, 6, 7]
    assert ends[2].cell == "cell 2" and ends[2].read == 2


def test_reading_and_writing_happen_beside_the_work():
    """Job 1 is worked on until job 2 is being read and job 0 is being written."""
    is_read, is_written = threading.Event(), threading.Event()

    def read(job):
        if job == 2:
            is_read.set()

    def work(job, _):
        if job == 1:
            assert is_read.wait(30) and is_written.wait(30)
        return Worked("", is_written.set)

    ends = list(run_pipelined(range(3), read, work, Failure, 1))
    assert [end.error for end in ends] == 3 * [None]


def test_without_workers_one_step_follows_another():
    steps = []

    def work(job, _):
        steps.append(f"work {job}")
        return Worked("", lambda: steps.append(f"write {job}"))

    list(run_pipelined(range(2), lambda job: steps.append(f"read {job}"), work, Failure, 0))
    assert steps == ["read 0", "work 0", "write 0", "read 1", "work 1", "write 1"]


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_no_more_is_read_ahead_or_left_unwritten_than_there_are_workers(workers):
    lock, open_jobs, most = threading.Lock(), set(), [0]

    def read(job):
        with lock:
            open_jobs.add(job)
            most[0] = max(most[0], len(open_jobs))
        return job

    def write(job):
        time.sleep(0.005)
        with lock:
            open_jobs.remove(job)

    list(run_pipelined(range(20), read, lambda job, _: Worked("", lambda: write(job)), Failure, workers))
    assert not open_jobs
    assert most[0] <= 1 + 2 * workers + 1  # in work, read ahead, being written, and one just handed over


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_an_interruption_keeps_what_was_made(workers):
    read, written, done = [], [], []

    def work(job, _):
        if job == 3:
            raise KeyboardInterrupt
        return Worked("", lambda: time.sleep(0.02) or written.append(job), lambda: done.append(job))

    ends = []
    with pytest.raises(KeyboardInterrupt):
        for end in run_pipelined(range(50), lambda job: read.append(job), work, Failure, workers):
            ends.append(end.job)
    assert ends == done == [0, 1, 2] and sorted(written) == [0, 1, 2]
    assert len(read) <= 4 + workers


def test_a_bug_is_raised_and_what_was_made_before_is_kept():
    done = []

    def work(job, _):
        return Worked("", lambda: 1 // (2 - job) and None, lambda: done.append(job))

    with pytest.raises(ZeroDivisionError):
        list(run_pipelined(range(9), lambda job: job, work, Failure, 1))
    assert done[:2] == [0, 1] and 2 not in done


def test_closing_early_finishes_what_is_being_written():
    done = []
    ends = run_pipelined(
        range(9), str, lambda job, _: Worked("", lambda: None, lambda: done.append(job)), Failure
    )
    next(ends)
    ends.close()
    assert done and done == list(range(len(done)))
