"""Calls of the gRPC port whose message does not come, and too many from one address."""

import asyncio
import contextlib

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from kind.serving.limits import Limits
from kind.serving.server.calls import Calls
from kind.serving.server.metrics import Metrics
from kind.serving.server.rpc import address_of, handler_of, port_of

METHOD = "/demo.Echo/Say"
LARGE = bytes(32 << 20)


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
        return Said(LARGE if data == b"more" else data)

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


def test_a_packed_message_is_as_large_as_what_it_stands_for(capfd):
    async def run():
        async with echo() as (channel, heard):
            say, gzip = channel.unary_unary(METHOD), grpc.Compression.Gzip
            assert await say(b"a" * 1000, compression=gzip) == b"a" * 1000
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await say(bytes(5 << 20), compression=gzip)  # gRPC's own limit is 4 MiB
            assert status_of(error)[0] == "RESOURCE_EXHAUSTED" and len(heard) == 1
            await asyncio.sleep(0.5)

    asyncio.run(run())
    assert "Traceback" not in capfd.readouterr().err


def test_a_call_is_counted_until_its_answer_is_taken():
    async def run():
        async with echo(in_flight=4) as (channel, _):
            say, not_taken = channel.unary_unary(METHOD), []
            for _ in range(2):
                assert await say(b"hello") == b"hello"
                not_taken.append(channel.unary_stream(METHOD)(b"more"))
                await not_taken[-1].wait_for_connection()
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await say(b"hello")
            assert status_of(error) == (
                "UNAVAILABLE",
                "more than 2 requests from one address at the same time",
            )
            not_taken[0].cancel()
            await asyncio.sleep(0.2)
            assert await say(b"hello") == b"hello"

    asyncio.run(asyncio.wait_for(run(), 60))


def test_answers_that_nobody_takes_have_a_limit_of_bytes(monkeypatch):
    monkeypatch.setattr("kind.serving.server.calls.ANSWER_BYTES", 30 << 20)

    async def run():
        async with echo(bodies=4) as (channel, _):
            more = channel.unary_stream(METHOD)
            not_taken = more(b"more")
            await not_taken.wait_for_connection()
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await more(b"more").read()
            code, message = status_of(error)
            assert code == "UNAVAILABLE" and message.startswith(
                "more than 62914560 bytes of answers from one"
            )
            assert await channel.unary_unary(METHOD)(b"hello") == b"hello"

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_connection_on_which_an_answer_is_not_taken_ends(serve):
    server = serve(limits=Limits(silence=0.15, seconds=1.0)).server  # 3 s, and 1.15 s for its calls
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "kind", "enhance_tensor"
    request.inputs["images"].CopyFrom(tf.make_tensor_proto(0.5, tf.float32, [1, 1000, 1000, 3]))
    request.inputs["alpha"].CopyFrom(tf.make_tensor_proto([2.0]))

    async def run():
        address, options = f"127.0.0.1:{server.grpc_port}", [("grpc.max_receive_message_length", -1)]
        async with grpc.aio.insecure_channel(address, options) as channel:
            predict = channel.unary_stream("/tensorflow.serving.PredictionService/Predict")
            call = predict(request.SerializeToString())
            await call.wait_for_connection()
            assert server.service.calls.number() == 1
            while server.service.calls.number():
                await asyncio.sleep(0.1)
            with pytest.raises(grpc.aio.AioRpcError) as error:
                await call.read()
            assert status_of(error) == ("UNAVAILABLE", "max connection age")

    asyncio.run(asyncio.wait_for(run(), 30))


@pytest.mark.parametrize(
    ("peer", "address", "port"),
    [
        ("ipv4:127.0.0.1:4242", "127.0.0.1", 4242),
        ("ipv6:%5B::1%5D:4242", "::1", 4242),
        ("unix:/run/kind.sock", "unix:/run/kind.sock", 0),
    ],
)
def test_an_address_has_no_port(peer, address, port):
    assert (address_of(peer), port_of(peer)) == (address, port)
