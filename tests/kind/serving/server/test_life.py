"""The embedded server's life: started, versions swapped and reloaded under load, stopped."""

import asyncio
import base64
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import grpc
import numpy as np
import pytest
import tensorflow as tf
import urllib3

from kind.errors import UserError
from kind.serving.server.app import Server, _say_where
from kind.serving.server.parameters import Batching

REPOSITORY = Path(__file__).resolve().parents[4]


def test_a_version_is_swapped_under_load(
    serve, images, model_folder, slow, saved_brightener, brightener_with
):
    rest = serve(batching=Batching(2, 1000, 100, 2))
    stop, answers = threading.Event(), []

    def ask(_):
        while not stop.is_set():
            answers.append(rest.enhance(images(level=10)))

    with ThreadPoolExecutor(3) as threads:
        asking = [threads.submit(ask, number) for number in range(3)]
        brightener_with(model_folder / "2", gain=3.0)
        end = time.monotonic() + 60
        while time.monotonic() < end and (not answers or rest.level(answers[-1][1]) != 60):
            time.sleep(0.01)
        stop.set()
        for done in asking:
            done.result()
    assert {status for status, _ in answers} == {200}
    assert {rest.level(answer) for _, answer in answers} == {20, 60}
    versions = rest.ask("GET", "/v1/models/kind").json()["model_version_status"]
    assert [(entry["version"], entry["state"]) for entry in versions] == [("2", "AVAILABLE"), ("1", "END")]


def test_requests_in_flight_end_on_the_version_they_met(serve, images, model_folder, slow, brightener_with):
    brightener_with(model_folder.parent / "2", gain=3.0)
    rest = serve()
    slow.seconds = 1.0
    with ThreadPoolExecutor(1) as threads:
        old = threads.submit(rest.enhance, images(level=10))
        time.sleep(0.3)
        slow.seconds = 0.0
        (model_folder.parent / "2").rename(model_folder / "2")
        end = time.monotonic() + 30
        while rest.level(rest.enhance(images(level=10))[1]) != 60:
            assert time.monotonic() < end
        assert rest.level(old.result()[1]) == 20


STARTING = """
import asyncio, gc, os, signal
from types import SimpleNamespace
from kind.serving.server import app

class Started(SimpleNamespace):
    async def listen(self):
        assert not gc.get_freeze_count()

    async def load(self):
        print(gc.get_freeze_count(), flush=True)
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self):
        pass

app.Server = lambda settings: Started()
app._say_where = app._end_after = lambda _: None
asyncio.run(app._serve(SimpleNamespace(grace=0.0)))
"""


def test_what_stays_is_not_looked_through_for_garbage():
    """A full collection would stop everybody, `/healthz` too, for some 30 ms of the processor's time.

    In a process of its own, for what is frozen stays so.
    """
    printed = subprocess.check_output([sys.executable, "-c", STARTING], text=True)
    assert int(printed) > 10_000


def test_warm_up_comes_before_the_first_request(serve, images, slow):
    serve()
    assert slow.batches == [1]


def test_a_failing_warm_up_keeps_a_version_out(running, settings_for, model_folder):
    path = model_folder / "1/assets.extra/tf_serving_warmup_requests"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(b"\xff\xff\xff")
    with pytest.raises(UserError, match="not a PredictionLog"), running(settings_for(model_folder)):
        pass


def test_models_are_reloaded_by_request(serve, model_folder, tmp_path, brightener_with):
    from tensorflow_serving.apis import model_management_pb2, model_service_pb2_grpc

    rest = serve(allow_reload=True)
    brightener_with(model_folder / "2", gain=3.0)
    request = model_management_pb2.ReloadConfigRequest()
    config = request.config.model_config_list.config.add(
        name="kind", base_path=str(model_folder), model_platform="tensorflow"
    )
    config.model_version_policy.all.SetInParent()
    config.version_labels["stable"] = 1
    with grpc.insecure_channel(f"127.0.0.1:{rest.server.grpc_port}") as channel:
        reload = model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest
        assert reload(request, timeout=60).status.error_code == 0
        assert (
            rest.ask("GET", "/v1/models/kind/labels/stable").json()["model_version_status"][0]["version"]
            == "1"
        )
        states = rest.ask("GET", "/v1/models/kind").json()["model_version_status"]
        assert [entry["state"] for entry in states] == ["AVAILABLE"] * 2
        image = {"b64": base64.b64encode(tf.io.encode_png(np.zeros((3, 3, 3), np.uint8)).numpy()).decode()}
        for path, expected in (("labels/stable", 200), ("labels/none", 400), ("versions/2", 200)):
            answer = rest.ask("POST", f"/v1/models/kind/{path}:predict", {"instances": [image]})
            assert answer.status == expected
        config.base_path = str(model_folder / "nothing")
        with pytest.raises(grpc.RpcError) as caught:
            reload(request, timeout=60)
        assert "no version folder" in caught.value.details()
        assert str(model_folder.parent) not in caught.value.details()
    assert rest.ask("GET", "/healthz").status == 200


def test_what_cannot_start_is_one_line(running, settings_for, model_folder, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="empty: expected version folders"), running(settings_for(empty)):
        pass
    (model_folder / "1/saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(UserError, match="kind/1: cannot be served"), running(settings_for(model_folder)):
        pass


def test_a_taken_port_is_said_before_anything_is_loaded(running, settings_for, model_folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("rest_port", "grpc_port"):
            settings = replace(settings_for(model_folder), **{name: port})
            with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1 port {port}"), running(settings):
                pass


def test_what_has_arrived_is_answered_before_the_server_stops(
    running, settings_for, model_folder, images, slow, rest_of
):
    slow.seconds = 0.0
    with ThreadPoolExecutor(4) as threads:
        with running(settings_for(model_folder)) as server:
            rest = rest_of(server)
            slow.seconds = 0.5
            answers = [threads.submit(rest.enhance, images()) for _ in range(4)]
            time.sleep(0.3)
        assert [answer.result()[0] for answer in answers] == [200] * 4
    rest.pool.clear()
    with pytest.raises(urllib3.exceptions.HTTPError):
        rest.ask("GET", "/healthz")


def test_an_unfinished_upload_delays_stopping_by_the_grace_period_only(running, settings_for, model_folder):
    with running(settings_for(model_folder, grace=0.5)) as server:
        upload = socket.create_connection(("127.0.0.1", server.rest_port))
        upload.sendall(
            b"POST /v1/models/kind:predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n{"
        )
        end = time.monotonic() + 30
        while not server.service.calls.number():
            assert time.monotonic() < end
            time.sleep(0.01)
    with upload, contextlib.suppress(ConnectionError):
        assert upload.recv(1) == b""  # at the time limit of a request, 60 s, there would have been an answer


def test_who_waits_for_the_first_version_is_answered_when_the_server_stops(
    settings_for, model_folder, rest_of
):
    """At once, and not after the grace period."""

    async def run():
        server = Server(settings_for(model_folder, grace=30.0))
        await server.listen()
        loop = asyncio.get_running_loop()
        waiting = loop.run_in_executor(None, rest_of(server).enhance, b"x")
        while not server.service.calls.number():
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await asyncio.wait_for(server.stop(), 10)
        return await waiting

    status, answer = asyncio.run(run())
    assert status == 503 and answer["error"] == "the server is being stopped"


@pytest.mark.slow
def test_the_command_serves_and_stops_on_sigterm(model_folder, images):
    command = [
        sys.executable,
        "-m",
        "kind",
        "serve",
        str(model_folder),
        "--rest-port",
        "0",
        "--grpc-port",
        "0",
    ]
    process = subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    )
    try:
        address = process.stdout.readline().split()[-1]
        with urllib.request.urlopen(address, timeout=30) as page:
            assert b"<title>" in page.read()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and "Traceback" not in errors


def test_a_copy_of_a_version_is_another_version(serve, model_folder, saved_brightener):
    rest = serve()
    shutil.copytree(saved_brightener, model_folder.parent / "staged")
    (model_folder.parent / "staged").rename(model_folder / "7")
    end = time.monotonic() + 30
    while rest.ask("GET", "/v1/models/kind/versions/7").status != 200:
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("host", "link"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]")]
)
def test_links_work_and_who_can_reach_the_server_is_said(capfd, host, link):
    server = SimpleNamespace(
        settings=SimpleNamespace(host=host),
        rest_port=81,
        grpc_port=82,
        manager=SimpleNamespace(names=lambda: ["kind"]),
    )
    _say_where(server)
    output = capfd.readouterr()
    assert output.out.splitlines()[0] == f"page    http://{link}:81/"
    assert ("everybody who reaches" in output.err) == (host != "127.0.0.1")
