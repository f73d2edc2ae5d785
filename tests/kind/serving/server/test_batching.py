"""Requests are put together, kept apart, refused and failed one by one; without TensorFlow."""

import gc
import threading
import time
import weakref

import numpy as np
import pytest

from kind.serving.server.batching import Scheduler, Target
from kind.serving.server.errors import ServingError
from kind.serving.server.parameters import UNBATCHED, Batching

SECOND = 1_000_000


class Doubler:
    """Doubles x; a row of -1 is an error. Remembers the batches, and waits while it is held."""

    is_loading = False

    def __init__(self):
        self.batches, self.seconds = [], []
        self.go = threading.Event()
        self.go.set()
        self.entered = threading.Semaphore(0)

    def run(self, signature, inputs, seconds, is_wanted):
        self.seconds.append(seconds)
        self.is_wanted = is_wanted
        self.entered.release()
        assert self.go.wait(10)
        x = inputs["x"]
        self.batches.append(x.shape[0])
        if (x == -1).any():
            raise ValueError(f"row {int(np.argmax((x == -1).any(axis=1)))} is bad")
        return {"y": 2 * x, "signature": np.array([signature] * len(x), object)}


class Silent:
    def __init__(self):
        self.padding = 0

    def received(self, model, rows):
        assert rows > 0

    def waited(self, model, seconds):
        assert seconds >= 0

    def ran(self, model, rows, padding, seconds):
        self.padding += padding


@pytest.fixture
def scheduler_for(request):
    def scheduler_for(observer=None, **parameters):
        scheduler = Scheduler(Batching(**{"num_batch_threads": 1, **parameters}), observer or Silent())
        request.addfinalizer(scheduler.stop)
        return scheduler

    return scheduler_for


@pytest.fixture
def model():
    model = Doubler()
    yield model
    model.go.set()


def submit(scheduler, model, *rows, width=1, signature="double", seconds=60.0):
    x = np.repeat(np.array(rows, float)[:, None], width, axis=1)
    end = time.monotonic() + seconds
    return scheduler.submit(Target("kind", model, signature), {"x": x}, len(rows), end)


def results(*futures):
    return [future.result(10)["y"][:, 0].tolist() for future in futures]


def test_requests_that_wait_together_run_together(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=4, batch_timeout_micros=3600 * SECOND)
    futures = [submit(scheduler, model, 1), submit(scheduler, model, 2, 3), submit(scheduler, model, 4)]
    assert results(*futures) == [[2], [4, 6], [8]]
    assert model.batches == [4]  # a full batch does not wait for its hour


def test_threads_that_have_nothing_to_do_share_what_waits(scheduler_for, model, monkeypatch):
    monkeypatch.setattr("kind.serving.server.batching.processors", lambda: 2)
    scheduler = scheduler_for(max_batch_size=4, batch_timeout_micros=3600 * SECOND, num_batch_threads=2)
    while scheduler._idle < 2:
        time.sleep(0.01)
    model.go.clear()
    futures = [submit(scheduler, model, value) for value in range(4)]
    for _ in range(2):  # both at the same time, none an hour later
        assert model.entered.acquire(timeout=10)
    model.go.set()
    assert results(*futures) == [[0], [2], [4], [6]] and model.batches == [2, 2]


def test_no_more_threads_share_than_there_are_processors(scheduler_for, model, monkeypatch):
    monkeypatch.setattr("kind.serving.server.batching.processors", lambda: 1)
    scheduler = scheduler_for(max_batch_size=4, batch_timeout_micros=3600 * SECOND, num_batch_threads=2)
    while scheduler._idle < 2:
        time.sleep(0.01)
    assert results(*[submit(scheduler, model, value) for value in range(4)]) == [[0], [2], [4], [6]]
    assert model.batches == [4]


def test_what_is_shared_is_a_size_that_may_be_run(scheduler_for, model):
    observer = Silent()
    scheduler = scheduler_for(
        observer,
        max_batch_size=4,
        batch_timeout_micros=3600 * SECOND,
        num_batch_threads=2,
        allowed_batch_sizes=(1, 4),
    )
    futures = [submit(scheduler, model, value) for value in range(4)]
    assert results(*futures) == [[0], [2], [4], [6]]
    assert model.batches == [4] and observer.padding == 0


def test_a_batch_that_is_not_filled_leaves_in_time(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=4, batch_timeout_micros=SECOND // 10)
    started = time.monotonic()
    assert results(submit(scheduler, model, 1)) == [[2]]
    assert time.monotonic() - started >= 0.09


def test_a_batch_may_take_as_long_as_somebody_waits_for_it(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=2, batch_timeout_micros=3600 * SECOND)
    futures = [submit(scheduler, model, value, seconds=seconds) for value, seconds in ((1, 5.0), (2, 1000.0))]
    assert results(*futures) == [[2], [4]]
    (seconds,) = model.seconds
    assert 500 < seconds <= 1000


def test_a_batch_is_wanted_while_anybody_waits(scheduler_for, model):
    model.go.clear()
    scheduler = scheduler_for(max_batch_size=2, batch_timeout_micros=3600 * SECOND)
    one, other = submit(scheduler, model, 1), submit(scheduler, model, 2)
    assert model.entered.acquire(timeout=10) and model.is_wanted()
    assert not one.cancel() and model.is_wanted()  # it runs already
    assert not other.cancel() and not model.is_wanted()
    model.go.set()


def test_a_split_request_that_is_given_up_is_not_wanted(scheduler_for, model):
    model.go.clear()
    scheduler = scheduler_for(max_batch_size=2, batch_timeout_micros=0, split_large=True, num_batch_threads=1)
    whole = submit(scheduler, model, 1, 2, 3, 4)
    assert model.entered.acquire(timeout=10) and whole.cancel() and not model.is_wanted()
    model.go.set()


def test_what_nobody_waits_for_any_more_does_not_run(scheduler_for, model):
    future = submit(scheduler_for(merge=False), model, 1, seconds=0.0)
    with pytest.raises(ServingError, match="not answered in time"):
        future.result(10)
    assert not model.batches


def test_only_what_fits_together_is_put_together(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=4, batch_timeout_micros=SECOND // 20)
    narrow = [submit(scheduler, model, value) for value in (1, 2)]
    wide = [submit(scheduler, model, value, width=2) for value in (3, 4)]
    other = submit(scheduler, model, 5, signature="other")
    assert results(*narrow, *wide, other) == [[2], [4], [6], [8], [10]]
    assert sorted(model.batches) == [1, 2, 2]
    assert other.result()["signature"].tolist() == ["other"]


def test_two_versions_do_not_share_a_batch(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=4, batch_timeout_micros=SECOND // 20)
    newer = Doubler()
    assert results(submit(scheduler, model, 1), submit(scheduler, newer, 2)) == [[2], [4]]
    assert model.batches == newer.batches == [1]


def test_without_merging_every_request_is_alone(model, request):
    scheduler = Scheduler(UNBATCHED, Silent())
    request.addfinalizer(scheduler.stop)
    futures = [submit(scheduler, model, value) for value in range(5)]
    assert results(*futures) == [[0], [2], [4], [6], [8]]
    assert model.batches == [1] * 5
    assert results(submit(scheduler, model, *range(2000)))[0][-1] == 3998  # no limit to rows


def test_a_bad_request_fails_alone(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=3, batch_timeout_micros=SECOND)
    good, bad, fine = submit(scheduler, model, 1), submit(scheduler, model, -1), submit(scheduler, model, 3)
    assert results(good, fine) == [[2], [6]]
    with pytest.raises(ServingError, match="row 0 is bad") as caught:
        bad.result(10)
    assert caught.value.code == "INTERNAL"
    assert model.batches == [3, 1, 1, 1]


@pytest.mark.parametrize("rows", [1, 3])
def test_what_the_model_refuses_is_not_kept(scheduler_for, rows):
    class Refusing:
        is_loading = False

        def run(self, signature, inputs, seconds, is_wanted):
            raise ServingError("NOT_FOUND", "no such image")

    scheduler = scheduler_for(max_batch_size=rows, batch_timeout_micros=60 * SECOND)
    model, arrays = Refusing(), [np.zeros((1, 1)) for _ in range(rows)]
    kept = [weakref.ref(x) for x in arrays]
    gc.collect()
    gc.disable()
    try:
        target, end = Target("kind", model, "any"), time.monotonic() + 60
        futures = [scheduler.submit(target, {"x": x}, 1, end) for x in arrays]
        assert all(isinstance(future.exception(10), ServingError) for future in futures)
        del arrays, futures
        while any(each() is not None for each in kept):  # until the thread has gone on
            assert time.monotonic() < end - 50
            time.sleep(0.01)
    finally:
        gc.enable()


def test_a_full_queue_refuses_and_recovers(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=2, max_enqueued_batches=2, batch_timeout_micros=0)
    model.go.clear()
    running = submit(scheduler, model, 0)
    assert model.entered.acquire(timeout=10)
    waiting = [submit(scheduler, model, value) for value in (1, 2, 3, 4)]  # two batches of two
    with pytest.raises(ServingError, match="queue") as caught:
        submit(scheduler, model, 5)
    assert caught.value.code == "UNAVAILABLE" and caught.value.http_status == 503
    assert scheduler.waiting() == 4
    another = submit(scheduler, model, 6, signature="other")  # a queue of its own
    model.go.set()
    assert results(running, *waiting, another) == [[0], [2], [4], [6], [8], [12]]
    assert results(submit(scheduler, model, 7)) == [[14]]


def test_a_cancelled_request_frees_its_place(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=1, max_enqueued_batches=1)
    model.go.clear()
    running = submit(scheduler, model, 1)
    assert model.entered.acquire(timeout=10)
    given_up = submit(scheduler, model, 2)
    with pytest.raises(ServingError):
        submit(scheduler, model, 3)
    assert given_up.cancel()
    kept = submit(scheduler, model, 4)
    model.go.set()
    assert results(running, kept) == [[2], [8]]
    assert model.batches == [1, 1]


def test_allowed_sizes_are_kept(scheduler_for, model):
    observer = Silent()
    sizes = {"max_batch_size": 8, "allowed_batch_sizes": (2, 4, 8)}
    scheduler = scheduler_for(observer, **sizes, batch_timeout_micros=SECOND // 20)
    futures = [submit(scheduler, model, value) for value in range(7)]
    assert results(*futures) == [[2 * value] for value in range(7)]
    assert model.batches == [4, 2, 2] and observer.padding == 1  # only the last one is filled up


def test_too_many_rows_are_refused_or_split(scheduler_for, model):
    scheduler = scheduler_for(max_batch_size=2)
    with pytest.raises(ServingError, match="Task size 3 is larger than maximum input batch size 2") as caught:
        submit(scheduler, model, 1, 2, 3)
    assert caught.value.code == "INVALID_ARGUMENT"
    splitting = scheduler_for(max_batch_size=2, split_large=True)
    assert results(submit(splitting, model, 1, 2, 3, 4, 5)) == [[2, 4, 6, 8, 10]]
    assert model.batches == [2, 2, 1]
    failing = submit(splitting, model, 1, 2, -1)
    with pytest.raises(ServingError, match="row 0 is bad"):
        failing.result(10)


def test_a_split_request_ends_with_its_first_part_that_fails(scheduler_for, model):
    splitting = scheduler_for(max_batch_size=1, split_large=True)
    model.go.clear()
    failing, other = submit(splitting, model, -1, 1, 2, 3), submit(splitting, model, 4)
    model.go.set()
    with pytest.raises(ServingError, match="row 0 is bad"):
        failing.result(10)
    assert results(other) == [[8]] and len(model.batches) < 5


class Counter:
    is_loading = False

    def __init__(self, *shape):
        self.shape = shape

    def run(self, signature, inputs, seconds, is_wanted):
        return {"rows": np.full(self.shape, len(inputs["x"]))}


@pytest.mark.parametrize("shape", [(), (3,)])
def test_outputs_without_a_batch_dimension_are_not_put_together_from_parts(scheduler_for, shape):
    splitting = scheduler_for(max_batch_size=2, split_large=True)
    with pytest.raises(ServingError, match="'rows' has no batch dimension") as caught:
        submit(splitting, Counter(*shape), 1, 2, 3, 4).result(10)
    assert caught.value.code == "FAILED_PRECONDITION"


def test_outputs_without_a_batch_dimension_are_not_shared(scheduler_for):
    scheduler = scheduler_for(max_batch_size=2, batch_timeout_micros=SECOND)
    futures = [submit(scheduler, Counter(), 1) for _ in range(2)]
    assert [future.result(10)["rows"] for future in futures] == [1, 1]  # run again, each alone


def test_a_model_that_is_loaded_again_keeps_no_thread_from_the_others(scheduler_for, model):
    scheduler, loading = scheduler_for(batch_timeout_micros=0), Doubler()
    loading.is_loading = True
    waiting = submit(scheduler, loading, 1)
    assert results(submit(scheduler, model, 2)) == [[4]] and not waiting.done()
    loading.is_loading = False
    assert results(waiting) == [[2]]


def test_stopping_answers_what_waits(model):
    parameters = Batching(max_batch_size=8, batch_timeout_micros=60 * SECOND, num_batch_threads=1)
    scheduler = Scheduler(parameters, Silent())
    futures = [submit(scheduler, model, value) for value in range(3)]
    scheduler.stop()
    assert results(*futures) == [[0], [2], [4]] and model.batches == [3]
    with pytest.raises(ServingError, match="stopped"):
        submit(scheduler, model, 1)


def test_many_threads_get_their_own_rows_back(scheduler_for, model):
    scheduler = scheduler_for(
        max_batch_size=4, batch_timeout_micros=200, max_enqueued_batches=1000, num_batch_threads=3
    )
    wrong = []

    def ask(start):
        for value in range(start, start + 100):
            if results(submit(scheduler, model, value, value + 0.5)) != [[2 * value, 2 * value + 1]]:
                wrong.append(value)

    threads = [threading.Thread(target=ask, args=(1000 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == [] and sum(model.batches) == 1600
