"""Servers in this process."""

import asyncio
import contextlib
import threading
from concurrent.futures import Future

import pytest


@pytest.fixture(scope="session")
def running():
    """(settings) → a context with a server."""
    return serving


@contextlib.contextmanager
def serving(settings):
    """A server in a thread of this process, for as long as the block lasts."""
    from kind.serving.server.app import Server

    started = Future()
    loop = asyncio.new_event_loop()

    async def run() -> None:
        server, done = Server(settings), asyncio.Event()
        try:
            await server.listen()
            await server.load()
        except BaseException as error:
            await server.stop()
            started.set_exception(error)
            return
        started.set_result((server, done))
        await done.wait()
        await server.stop()

    def work() -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(run())
            loop.run_until_complete(loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    thread = threading.Thread(target=work, name="server", daemon=True)
    thread.start()
    try:
        server, done = started.result()
        try:
            yield server
        finally:
            loop.call_soon_threadsafe(done.set)
    finally:
        thread.join()
