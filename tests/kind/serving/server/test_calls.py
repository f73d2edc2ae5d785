"""The requests on their way: their numbers, their bytes, and the one time limit of each."""

import asyncio
import contextlib
import gc
import time
import weakref

import pytest

from kind.serving.limits import Limits
from kind.serving.server.calls import Call, Calls, sender_of
from kind.serving.server.errors import ServingError
from kind.serving.server.metrics import Metrics


def calls_with(**limits):
    metrics = Metrics()
    return Calls(Limits(**limits), metrics, lambda: ["kind"]), metrics


def counted(metrics):
    lines = metrics.exposition().decode().splitlines()
    return [line for line in lines if line.startswith(":tensorflow:serving:request_count{")]


@contextlib.contextmanager
def arrived(calls, sender, size=0):
    with calls.open(sender, "REST") as call:
        call.hold(size)
        call.is_arriving = False
        yield call


def test_one_address_has_half_of_the_places():
    calls, _ = calls_with(in_flight=4)
    with arrived(calls, "a"), arrived(calls, "a"):
        with pytest.raises(ServingError, match="more than 2 requests from one address") as caught:
            with calls.open("a", "REST"):
                pass
        assert caught.value.code == "UNAVAILABLE"
        with arrived(calls, "b"), arrived(calls, "b"):
            assert calls.number() == 4
            with pytest.raises(ServingError, match="more than 4 requests at the same time"):
                with calls.open("c", "REST"):
                    pass
    assert calls.number() == 0


def test_bodies_have_a_limit_together_and_half_of_it_from_one_address():
    calls, _ = calls_with(request_bytes=100, bodies=4)
    with arrived(calls, "a", 150), arrived(calls, "b") as second:
        with calls.open("a", "REST") as another, pytest.raises(ServingError) as caught:
            another.hold(51)
        assert caught.value.message == "more than 200 bytes of requests from one address at the same time"
        with arrived(calls, "a", 50):  # those of the other have gone with it
            second.hold(200)
            with calls.open("c", "REST") as third, pytest.raises(ServingError, match="more than 400 bytes"):
                third.hold(1)
    with arrived(calls, "a", 200):
        pass


def test_uploads_that_take_long_make_room():
    async def run():
        async def upload(sender, size=0):
            with calls.open(sender, "REST") as call:
                call.hold(size)
                await call.in_time(asyncio.sleep(60))

        async def ended(task):
            with pytest.raises(ServingError, match="and this one is slow") as caught:
                await asyncio.wait_for(asyncio.shield(task), 10)
            assert caught.value.code == "UNAVAILABLE"

        calls, _ = calls_with(in_flight=4, request_bytes=100, bodies=4)
        slow = [asyncio.ensure_future(upload("a", size)) for size in (30, 150)]
        await asyncio.sleep(0.01)
        with calls.open("a", "REST") as third:  # the third of two from one address
            await ended(slow[0])
            third.hold(45)
            assert calls.number() == 2 and not slow[1].done()
            third.hold(10)  # bytes: the largest one that arrives
            await ended(slow[1])
            with pytest.raises(ServingError, match="more than 200 bytes"):
                third.hold(200)
        with calls.open("a", "REST") as call, arrived(calls, "a"), arrived(calls, "a"):
            with pytest.raises(ServingError, match="and this one is slow"):  # it was told between two steps
                await call.in_time(asyncio.sleep(60))

    asyncio.run(run())


def test_all_steps_have_one_time_limit():
    async def run():
        calls, _ = calls_with(seconds=1.0)
        with calls.open("a", "REST") as call:
            assert await call.in_time(asyncio.sleep(0.1, "done")) == "done"
            with pytest.raises(ServingError, match="the body did not arrive within 0.05 s"):
                await call.in_time(asyncio.sleep(60), "the body did not arrive", 0.05)
            with pytest.raises(ServingError, match="not answered within 1 s") as caught:
                await call.in_time(asyncio.sleep(60), most=60)
            assert caught.value.code == "DEADLINE_EXCEEDED" and time.monotonic() >= call.end
        with calls.open("a", "GRPC", seconds=0.1) as call:  # the sender's own
            with pytest.raises(ServingError, match="not answered within 0.1 s"):
                await call.in_time(asyncio.sleep(60))

    asyncio.run(run())


@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_fails_is_not_kept(size):
    """An error leads to the frames that it has passed, and so to the bytes of the request in them."""

    class Body:
        pass

    def check(body):
        raise ServingError("INVALID_ARGUMENT", "no image")

    async def step(body):
        check(body)

    async def run():
        kept = []
        for steps in (lambda body: call.compute(size, check, body), lambda body: call.in_time(step(body))):
            body = Body()
            kept.append(weakref.ref(body))
            with contextlib.suppress(ServingError):
                await steps(body)
        del body
        return [each() for each in kept]

    call = Call(30.0)
    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(run()) == [None, None]
    finally:
        gc.enable()


def test_who_gives_up_cancels_the_step():
    async def run():
        cancelled = asyncio.Event()

        async def step():
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        waiting = asyncio.ensure_future(Call(30.0).in_time(step()))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.wait_for(cancelled.wait(), 10)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(run())


@pytest.mark.parametrize(
    ("address", "sender"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix:/run/kind.sock", "unix:/run/kind.sock"),
        ("", ""),
    ],
)
def test_who_counts_as_one(address, sender):
    assert sender_of(address) == sender


def test_methods_are_in_the_metrics_with_the_names_of_models_that_exist():
    calls, metrics = calls_with()
    with calls.open("a", "REST"):
        pass
    assert counted(metrics) == []
    for name in ("kind", "somebody's"):
        with pytest.raises(ServingError), calls.open("a", "REST", "Predict", name):
            raise ServingError("NOT_FOUND", "")
    with pytest.raises(ZeroDivisionError), calls.open("a", "REST", "Predict"):
        raise ZeroDivisionError
    assert sorted(counted(metrics)) == [
        ':tensorflow:serving:request_count{model_name="",status="INTERNAL"} 1.0',
        ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1.0',
        ':tensorflow:serving:request_count{model_name="kind",status="NOT_FOUND"} 1.0',
    ]
