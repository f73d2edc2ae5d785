"""Requests in flight: their numbers, their bytes, and the one time limit of each."""

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

MIB = 1 << 20


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
    calls, _ = calls_with(request_bytes=2 * MIB, bodies=4)
    with arrived(calls, "a", 3 * MIB), arrived(calls, "b") as second:
        with arrived(calls, "a", MIB), calls.open("a", "REST") as another:
            with pytest.raises(ServingError) as caught:
                another.hold(MIB + 1)
            assert caught.value.message.endswith("bytes of requests from one address at the same time")
        second.hold(4 * MIB)  # those of the others have gone with them
        with calls.open("c", "REST") as third:
            third.hold(MIB)  # as little as this is always taken
            with pytest.raises(ServingError, match="more than 8388608 bytes of requests at the same time"):
                third.hold(MIB)
    with arrived(calls, "a", 4 * MIB):
        pass


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr("kind.serving.server.calls._FIRST", 0.01)
    monkeypatch.setattr("kind.serving.server.calls._LONGEST_STOP", 0.05)


@contextlib.asynccontextmanager
async def uploading(calls, sender, size=0):
    """An upload that has stopped: its call, and the task that answers it."""
    begun = asyncio.get_running_loop().create_future()

    async def upload():
        with calls.open(sender, "REST") as call:
            call.expect()
            call.hold(size)
            begun.set_result(call)
            await call.in_time(asyncio.sleep(60))

    task = asyncio.ensure_future(upload())
    call = await begun
    while not call.is_slow(time.monotonic()):
        await asyncio.sleep(0.01)
    yield task
    task.cancel()


async def has_given_way(task):
    with pytest.raises(ServingError, match="and this one arrives slowly") as caught:
        await asyncio.wait_for(asyncio.shield(task), 10)
    return caught.value.code == "UNAVAILABLE"


def test_slow_uploads_make_room(impatient):
    async def run():
        calls, _ = calls_with(in_flight=4)
        async with uploading(calls, "a") as first, uploading(calls, "a") as second:
            with calls.open("a", "REST"):  # the third of two from one address
                assert await has_given_way(first) and not second.done() and calls.number() == 2
                with calls.open("b", "REST"), calls.open("b", "REST"), calls.open("c", "REST"):
                    assert await has_given_way(second)  # the fifth of four in all; of who has most
                    with pytest.raises(ServingError, match="more than 4 requests at the same time"):
                        with calls.open("d", "REST"):
                            pass

    asyncio.run(run())


def test_large_slow_uploads_make_room_for_bytes(impatient):
    async def run():
        calls, _ = calls_with(request_bytes=2 * MIB, bodies=4)
        async with uploading(calls, "a", 3 * MIB) as large, uploading(calls, "a", 1000) as small:
            with calls.open("a", "REST") as call:
                call.hold(2 * MIB)
                assert await has_given_way(large) and not small.done()
                with pytest.raises(ServingError, match="from one address"):
                    call.hold(2 * MIB)

    asyncio.run(run())


def test_uploads_that_are_not_slow_stay(impatient):
    calls, _ = calls_with(in_flight=2)
    with calls.open("a", "REST") as call:
        call.expect()
        call.hold(1 << 20)
        assert not call.is_slow(call.started + 0.02) and call.is_slow(time.monotonic() + 0.1)
        with pytest.raises(ServingError, match="more than 1 requests from one address"):
            with calls.open("a", "REST"):
                pass
        call.is_arriving = False
        assert not call.is_slow(time.monotonic() + 60)


def test_messages_wait_for_places_to_arrive():
    async def run():
        calls, _ = calls_with(bodies=4)
        arrived = []

        async def arrive(sender, until):
            with calls.open(sender, "GRPC") as call:
                async with calls.arriving(call):
                    arrived.append(sender)
                    await until.wait()

        done = asyncio.Event()
        first = [asyncio.create_task(arrive("a", done)) for _ in range(3)]
        others = [asyncio.create_task(arrive(sender, done)) for sender in "bcd"]
        await asyncio.sleep(0.05)
        assert sorted(arrived) == ["a", "a", "b", "c"]
        done.set()
        await asyncio.wait_for(asyncio.gather(*first, *others), 5)
        assert sorted(arrived) == ["a", "a", "a", "b", "c", "d"]

    asyncio.run(run())


def test_slow_messages_give_their_places_up(impatient):
    async def run():
        calls, _ = calls_with(bodies=2)

        async def arrive(sender):
            with calls.open(sender, "GRPC") as call:
                async with calls.arriving(call):
                    await call.in_time(asyncio.Event().wait())

        first = asyncio.create_task(arrive("a"))
        await asyncio.sleep(0.01)
        second = asyncio.create_task(arrive("a"))
        assert await has_given_way(first)
        other = asyncio.create_task(arrive("b"))
        await asyncio.sleep(0.01)
        with calls.open("c", "GRPC") as call:
            async with calls.arriving(call):
                assert await has_given_way(second) and not other.done()
        other.cancel()

    asyncio.run(run())


def test_a_message_is_not_slow_for_having_waited_for_its_place(impatient):
    async def run():
        calls, _ = calls_with(bodies=2)
        with calls.open("a", "GRPC") as first, calls.open("a", "GRPC") as second:
            async with calls.arriving(first):
                first.hold(1 << 20)  # not slow
                waiting = calls.arriving(second)
                entering = asyncio.create_task(waiting.__aenter__())
                await asyncio.sleep(0.04)
                assert not second.is_slow(time.monotonic())
            await entering
            assert second.is_arriving and not second.is_slow(second.started + 0.045)
            assert second.is_slow(time.monotonic() + 1)
            await waiting.__aexit__(None, None, None)

    asyncio.run(run())


def test_a_message_without_a_place_is_late_at_its_deadline():
    async def run():
        calls, _ = calls_with(bodies=2)
        with calls.open("a", "GRPC") as first, calls.open("a", "GRPC", seconds=0.1) as second:
            async with calls.arriving(first):
                with pytest.raises(ServingError, match="the message did not arrive within 0.1 s"):
                    async with calls.arriving(second):
                        pass

    asyncio.run(run())


def test_who_is_told_between_two_steps_gives_way_at_the_next():
    call = Call(30.0)
    call.give_way()
    with pytest.raises(ServingError, match="and this one arrives slowly"):
        asyncio.run(call.in_time(asyncio.sleep(60)))


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
