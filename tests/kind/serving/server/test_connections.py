"""Connections that do nothing, too many of them, and clients that go away; without a model."""

import asyncio
import contextlib
import gc
import json
import os
import resource
import socket
from types import SimpleNamespace

import pytest
from aiohttp import web

from kind.serving.limits import Limits
from kind.serving.server.connections import (
    Connections,
    connections_within_handles,
    end_crowded,
    report_of_loop,
)
from kind.serving.server.front import Front
from kind.serving.server.origins import Sites

CLIENTS = []  # all are closed at the end of a test
GET = b"GET /fine HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def fine(request):
    return web.json_response({"fine": True})


async def large(request):
    return web.Response(body=b"x" * (8 << 20))


@contextlib.asynccontextmanager
async def front(api=fine, **limits):
    """(its port, its connections) of a front whose pages are /fine and /large."""
    connections = Connections(
        Front(Sites("127.0.0.1"), api, {"/fine": fine, "/large": large}), Limits(**limits)
    )
    port = await connections.listen("127.0.0.1", 0)
    try:
        yield port, connections
    finally:
        connections.stop_listening()
        await connections.close(0.2)
        while CLIENTS:
            writer = CLIENTS.pop()
            writer.transport.abort()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


async def opened(port, data=b""):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    CLIENTS.append(writer)
    return reader, writer


async def asked(port, data=GET):
    """The status and the content of one answer."""
    reader, writer = await opened(port, data)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split()[0])
    body = await reader.readexactly(length)
    writer.close()
    assert b"nosniff" in head and b"application/json" in head
    return int(head.split()[1]), json.loads(body)


async def ends(reader, seconds=10):
    """The bytes that come before a connection ends."""
    with contextlib.suppress(ConnectionError):
        return await asyncio.wait_for(reader.read(), seconds)
    return b""


def test_what_does_not_fit_into_memory_is_one_line(capfd):
    async def hungry(request):
        raise MemoryError

    async def run():
        async with front(hungry) as (port, _):
            status, answer = await asked(port, b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert status == 429 and "does not fit into memory" in answer["error"]

    asyncio.run(run())
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("sent", [b"", b"GET", b"GET /fine HTTP/1.1\r\nHost: localhost\r\nX-Y"])
def test_who_sends_no_whole_header_is_let_go(sent):
    async def run():
        async with front(silence=0.2) as (port, _):
            reader, _ = await opened(port, sent)
            assert await ends(reader) == b""
            assert (await asked(port))[0] == 200

    asyncio.run(run())


def test_a_header_that_dribbles_has_the_same_time():
    async def run():
        async with front(silence=0.4) as (port, connections):
            reader, writer = await opened(port, GET[:-2] + b"X-Y: ")
            beginnings = set()
            reading = asyncio.create_task(ends(reader))
            while not reading.done():
                beginnings.update(each.waiting_since for each in connections._open)
                writer.write(b"x")
                await asyncio.sleep(0.05)
            assert await reading == b"" and len(beginnings) == 1  # what dribbles in starts no new wait

    asyncio.run(run())


def test_between_two_requests_there_is_more_time():
    async def run():
        async with front(silence=0.4) as (port, _):
            reader, writer = await opened(port, GET)
            await reader.readuntil(b"}")
            await asyncio.sleep(0.6)
            writer.write(GET)
            assert b"fine" in await reader.readuntil(b"}")
            assert await ends(reader) == b""

    asyncio.run(run())


def test_who_takes_no_answer_is_let_go_and_who_takes_it_slowly_is_not():
    async def run():
        async with front() as (_, connections):
            for unsent, stuck in (([9, 9, 9], [False, False, True]), ([9, 8, 7, 0], [False] * 4)):
                connection, left = connections(), list(unsent)
                connection._wire = SimpleNamespace(get_write_buffer_size=lambda left=left: left.pop(0))
                connection.end()
                now = connection.waiting_since
                found = [connection.is_stuck(now + 1.5 * step, 2) for step in range(len(unsent))]
                assert found == stuck
                assert not connections().is_stuck(1e9, 2)  # a request is being answered

    asyncio.run(run())


def test_who_takes_some_bytes_now_and_then_is_let_go_in_the_end():
    async def run():
        async with front() as (_, connections):
            connection, left = connections(), iter(range(100, 0, -1))
            connection._wire = SimpleNamespace(get_write_buffer_size=lambda: next(left))
            connection.end()
            begun = connection.waiting_since
            found = [connection.is_stuck(begun + step, 2) for step in range(1, 43)]
            assert found == [False] * 40 + [True] * 2

    asyncio.run(run())


def test_an_answer_that_is_being_taken_does_not_make_room_for_others():
    async def run():
        async with front(connections=20, silence=30) as (port, connections):
            reader, _ = await opened(port, GET.replace(b"/fine", b"/large"))
            await asyncio.sleep(0.1)
            (taking,) = connections._open
            assert taking.unsent
            for _ in range(20):
                await opened(port)
            await asyncio.sleep(0.1)
            assert len(connections._open) == 10 and taking in connections._open
            assert await reader.readuntil(b"\r\n\r\n") and await reader.readexactly(8 << 20)

    asyncio.run(run())


def test_untaken_answers_have_a_limit_and_the_oldest_ends(monkeypatch):
    async def run():
        async with front(bodies=1, silence=30) as (port, connections):
            readers = []
            for _ in range(3):
                readers.append((await opened(port, GET.replace(b"/fine", b"/large")))[0])
                await asyncio.sleep(0.2)
            untaken = sum(each.unsent for each in connections._open)  # the system takes some of it
            monkeypatch.setattr("kind.serving.server.connections.ANSWER_BYTES", 2 * (untaken - 1))
            while len(connections._open) == 3:  # one address has half of what all have
                await asyncio.sleep(0.05)
            assert len(await ends(readers[0])) < 8 << 20
            for reader in readers[1:]:
                await reader.readuntil(b"\r\n\r\n")
                assert await reader.readexactly(8 << 20)

    asyncio.run(run())


def test_one_address_has_a_limited_number_of_connections_to_a_port_that_we_do_not_watch():
    with contextlib.ExitStack() as opened_sockets:

        def listening():
            return opened_sockets.enter_context(socket.create_server(("127.0.0.1", 0)))

        crowded, other = listening(), listening()
        clients = {each: [] for each in (crowded, other)}
        for listener, mine in clients.items():
            for _ in range(8):
                mine.append(opened_sockets.enter_context(socket.create_connection(listener.getsockname(), 5)))
                opened_sockets.enter_context(listener.accept()[0])
        handles = len(os.listdir("/dev/fd"))
        for _ in range(2):  # once more ends no other
            end_crowded(crowded.getsockname()[1], 5, {clients[crowded][-1].getsockname()[1]})
        assert len(os.listdir("/dev/fd")) == handles
        for listener, mine in clients.items():
            for each in mine:
                each.setblocking(False)
            ended = []
            for each in mine:
                with contextlib.suppress(BlockingIOError):
                    ended.append(each.recv(1) == b"")
            assert ended == ([True] * 2 if listener is crowded else [])


def test_those_who_only_hold_connections_lock_nobody_out():
    async def run():
        async with front(connections=20, silence=30) as (port, connections):
            held = [await opened(port) for _ in range(60)]
            await asyncio.sleep(0.05)
            assert len(connections._open) == 10  # half of all from one address
            assert (await asked(port))[0] == 200
            assert await ends(held[0][0]) == b""

    asyncio.run(run())


def test_requests_that_are_answered_are_not_ended_for_new_connections():
    async def run():
        release = asyncio.Event()

        async def wait(request):
            await release.wait()
            return await fine(request)

        async with front(wait, connections=20, silence=30) as (port, _):
            busy = [await opened(port, GET.replace(b"/fine", b"/v1/x")) for _ in range(10)]
            await asyncio.sleep(0.1)
            late, _ = await opened(port, GET)
            assert await ends(late) == b""
            release.set()
            for reader, _ in busy:
                assert b"200 OK" in await reader.readuntil(b"}")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /fine HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 20000 + b"\r\n\r\n", 400),
        (b"POST /fine HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        (b"DELETE /fine HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"GET /fine HTTP/1.1\r\nHost: localhost\r\nExpect: wonders\r\n\r\n", 417),
        (b"GET /fine HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET /fine HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n", 403),
        (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    ],
)
def test_every_error_is_json_with_one_short_line(capfd, request_, status):
    async def run():
        async with front() as (port, _):
            found, content = await asked(port, request_)
            assert found == status and set(content) == {"error"}
            assert len(content["error"]) < 320 and "\n" not in content["error"]

    asyncio.run(run())
    assert capfd.readouterr().err == ""


def test_a_client_that_goes_away_is_one_line_at_most(capfd):
    async def read(request):
        await request.content.read()
        return await fine(request)

    async def run():
        async with front(read) as (port, connections):
            upload = b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"
            for sent in (upload, upload[:40], GET.replace(b"/fine", b"/large")):
                _, writer = await opened(port, sent)
                await asyncio.sleep(0.05)
                writer.transport.abort()
            await asyncio.sleep(0.1)
            assert not connections._open

    asyncio.run(run())
    gc.collect()  # tasks whose exceptions nobody fetched say so when they go
    assert capfd.readouterr().err == ""


def test_an_upload_that_never_ends_does_not_delay_closing():
    ended = []

    async def read(request):
        try:
            await request.content.read()
        finally:
            ended.append(request)

    async def run():
        async with front(read) as (port, connections):
            await opened(port, b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{")
            await opened(port)
            while not any(each.waiting_since is None for each in connections._open):
                await asyncio.sleep(0.01)
            assert not ended
            connections.stop_listening()
            await connections.close(0.2)
            assert ended and not connections._open

    asyncio.run(run())


def test_few_file_handles_are_shared_by_both_ports(monkeypatch):
    limits = [256, 256]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.__setitem__(slice(None), new))
    assert connections_within_handles(512) * 2 + 64 < 256
    limits[1] = 100_000
    assert connections_within_handles(512) == 512 and limits[0] > 1024


def test_running_out_of_handles_is_one_line_in_ten_seconds(capfd):
    report = report_of_loop()
    for _ in range(1000):
        context = {"message": "socket.accept() out of system resource", "exception": OSError(24, "Too many")}
        report(None, context)
    report(None, {"message": "gone", "exception": ConnectionResetError()})
    errors = capfd.readouterr().err
    assert len(errors.splitlines()) == 1 and "out of system resource" in errors
