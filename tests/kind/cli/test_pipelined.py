"""Reading ahead, working and writing at the same time: order, bounds, failures and interruptions."""

import threading
import time

import pytest

from kind.cli.pipelined import Pipeline, Worked


class Failure(Exception):
    pass


def run(jobs, read, work, workers, report):
    with Pipeline(jobs, read, Failure, report, workers) as pipeline:
        for task in pipeline:
            with task:
                task.worked = work(task.job, task.read)


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

    ends = []
    run(range(8), lambda job: failing(job, 1), work, workers, ends.append)
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

    ends = []
    run(range(3), read, work, 1, ends.append)
    assert [end.error for end in ends] == 3 * [None]


def test_without_workers_one_step_follows_another():
    steps = []

    def work(job, _):
        steps.append(f"work {job}")
        return Worked("", lambda: steps.append(f"write {job}"))

    run(range(2), lambda job: steps.append(f"read {job}"), work, 0, print)
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

    run(range(20), read, lambda job, _: Worked("", lambda: write(job)), workers, print)
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
        run(range(50), lambda job: read.append(job), work, workers, lambda end: ends.append(end.job))
    assert ends == done == [0, 1, 2] and sorted(written) == [0, 1, 2]
    assert len(read) <= 4 + workers


def test_a_bug_is_raised_and_what_was_made_before_is_kept():
    done = []

    def work(job, _):
        return Worked("", lambda: 1 // (2 - job) and None, lambda: done.append(job))

    with pytest.raises(ZeroDivisionError):
        run(range(9), lambda job: job, work, 1, print)
    assert done[:2] == [0, 1] and 2 not in done


def test_leaving_the_loop_early_finishes_what_is_being_written():
    done = []
    with Pipeline(range(9), str, Failure, print) as pipeline:
        for task in pipeline:
            with task:
                task.worked = Worked("", lambda: None, lambda job=task.job: done.append(job))
            if task.job == 4:
                break
    assert done and done == list(range(len(done)))


def test_a_failure_of_the_work_is_timed_and_has_no_cell():
    ends = []
    run([1], str, lambda job, _: failing(job, 1), 0, ends.append)
    assert ends[0].cell is None and ends[0].read == "1" and ends[0].seconds > 0
