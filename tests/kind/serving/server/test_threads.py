"""Work beside the event loop."""

import asyncio
import threading

from kind.serving.server.threads import OneAtATime


def test_the_next_waits_for_what_somebody_gave_up():
    begun, go, order = threading.Event(), threading.Event(), []

    def slow():
        begun.set()
        assert go.wait(10)
        order.append("slow")

    async def run():
        turns = OneAtATime()
        given_up = asyncio.create_task(turns.call(slow))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        never = asyncio.create_task(turns.call(order.append, "never"))
        following = asyncio.create_task(turns.call(order.append, "following"))
        await asyncio.sleep(0)
        for task in (given_up, never):
            task.cancel()
        await asyncio.sleep(0.01)
        assert order == []
        go.set()
        await following

    asyncio.run(run())
    assert order == ["slow", "following"]


def test_errors_are_those_of_the_function():
    async def run():
        turns = OneAtATime()
        for _ in range(2):
            try:
                await turns.call(int, "x")
            except ValueError as error:
                assert "invalid literal" in str(error)
            else:
                raise AssertionError

    asyncio.run(run())
