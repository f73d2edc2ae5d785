"""Calls of the gRPC port whose message does not come, and too many from one address."""

import asyncio
import contextlib

import grpc
import pytest

from kind.serving.limits import Limits
from kind.serving.server.calls import Calls
from kind.serving.server.metrics import Metrics
from kind.serving.server.rpc import address_of, handler_of

METHOD = "/demo.Echo/Say"


class Said:
    def __init__(self, data):
        self.data = data

    def SerializeToString(self):  # noqa: N802
        return self.data


@contextlib.asynccontextmanager
async def echo(**limits):
    """A channel to a server that says what it is told, and the messages it was told."""
    heard = []

    async def answer(data, call):
        heard.append(data)
        return Said(data)

    server = grpc.aio.server()
    handler = handler_of(answer, Calls(Limits(**limits), Metrics(), list))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("demo.Echo", {"Say": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel, heard
    await server.stop(0)


async def silence(until):
    await until.wait()
    return
    yield


def status_of(error):
    return error.value.code().name, error.value.details()


def test_one_message_is_one_answer():
    async def run():
        async with echo() as (channel, heard):
            assert await channel.unary_unary(METHOD)(b"hello") == b"hello"
            assert heard == [b"hello"]

    asyncio.run(run())


def test_a_message_that_does_not_come_ends_its_call():
    async def run():
        async with echo(seconds=0.2) as (channel, heard):
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await channel.stream_unary(METHOD)(silence(asyncio.Event()))
            assert status_of(error) == ("DEADLINE_EXCEEDED", "the message did not arrive within 0.2 s")
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await channel.stream_unary(METHOD)(iter(()))
            assert status_of(error) == ("INVALID_ARGUMENT", "expected a message, received none")
            assert heard == []

    asyncio.run(run())


def test_a_message_that_does_not_come_makes_room_for_others(monkeypatch):
    monkeypatch.setattr("kind.serving.server.calls._FIRST", 0.0)

    async def run():
        async with echo(in_flight=4) as (channel, heard):
            silent = [channel.stream_unary(METHOD)(silence(asyncio.Event())) for _ in range(2)]
            for call in silent:
                await call.wait_for_connection()
            while not any(call.done() for call in silent):  # until the server has met both
                assert await channel.unary_unary(METHOD)(b"hello") == b"hello"
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await next(call for call in silent if call.done())
            assert status_of(error) == (
                "UNAVAILABLE",
                "too many requests at a time, and this one arrives slowly",
            )

    asyncio.run(asyncio.wait_for(run(), 60))


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:4242", "127.0.0.1"),
        ("ipv6:%5B::1%5D:4242", "::1"),
        ("unix:/run/kind.sock", "unix:/run/kind.sock"),
    ],
)
def test_an_address_has_no_port(peer, address):
    assert address_of(peer) == address
