"""What attacks cost the others: `python -m benchmarks.serving_attacks exports/lite` (Linux; three minutes).

Starts `python -m kind serve` for a copy of the folder on free ports of this machine and sends attack after
attack. During each, two honest clients go on: one asks /healthz, one sends a photograph. What comes out is a
table in Markdown: the longest wait of both, the server's resident memory before, at most and after, and what
the attacker got. At the end come hot swaps, and SIGTERM beside an unfinished upload.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import io
import json
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
from PIL import Image
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kind.serving import Client

REPOSITORY = Path(__file__).resolve().parent.parent
_EVERY = 0.02  # seconds between two questions of an honest client
_AFTER = 2.0  # seconds until memory counts as that after an attack
_HTTP_TIMEOUT = 120
_LONGEST_SWAP = 300


class Served(NamedTuple):
    """A running server: its process, ports and model."""

    process: subprocess.Popen
    port: int
    grpc_port: int
    model: str

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> int:
        """The status of one HTTP request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_HTTP_TIMEOUT)
        try:
            connection.request(method, path, body, headers or {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()

    def has(self, version: int) -> bool:
        """Whether a version is served."""
        with Client(f"127.0.0.1:{self.port}", model=self.model) as client:
            return client.status().get(version) == "AVAILABLE"

    def predict(self, body: bytes, headers: dict | None = None) -> int:
        """The status of a request to run the model."""
        return self.ask("POST", f"/v1/models/{self.model}:predict", body, headers)

    def memory(self) -> float:
        """Resident MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)[1]) / 1024


class Attack(NamedTuple):
    """An attack: its name, and what sends it and returns what the attacker got."""

    name: str
    send: Callable[[Served], object]


def main() -> int:
    """Runs everything; returns 1 when the server did not outlive it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, metavar="DIR", help="what `python -m kind export` wrote")
    parser.add_argument("--swaps", type=int, default=5, help="number of hot swaps, default 5")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, arguments.folder.resolve().name)
        shutil.copytree(arguments.folder, folder)
        served = _start(folder)
        try:
            print("| attack | longest /healthz | longest good request | MiB before, at most, after | got |")
            print("| --- | ---: | ---: | ---: | --- |")
            for attack in _attacks():
                print(_row(served, attack), flush=True)
            for number in range(arguments.swaps):
                swap = Attack(f"hot swap {number + 1}", lambda served: _swap(served, folder))
                print(_row(served, swap), flush=True)
            return _stop(served)
        finally:
            served.process.kill()
            served.process.wait()


def _start(folder: Path) -> Served:
    command = [sys.executable, "-m", "kind", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0"]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(3)]
    if not lines[-1]:
        raise SystemExit("the server did not start")
    ports = [int(re.search(r":(\d+)(?:/|$)", line.strip())[1]) for line in lines]
    return Served(process, ports[0], ports[2], folder.name)


def _row(served: Served, attack: Attack) -> str:
    """Sends an attack beside honest clients; a row of the table."""
    honest = {
        "health": lambda: served.ask("GET", "/healthz"),
        "good": lambda: served.predict(_body(_picture(60, 40))),
    }
    waits, most, on = {name: [0.0] for name in honest}, [served.memory()], [True]
    before = most[0]

    def repeat(name: str) -> None:
        while on:
            started = time.perf_counter()
            try:
                status = honest[name]()
            except OSError as error:
                status = type(error).__name__
            waits[name].append(time.perf_counter() - started if status == 200 else float("inf"))
            most[0] = max(most[0], served.memory())
            time.sleep(_EVERY)

    threads = [threading.Thread(target=repeat, args=(name,)) for name in honest]
    for thread in threads:
        thread.start()
    try:
        got = attack.send(served)
    except OSError as error:
        got = type(error).__name__
    time.sleep(_AFTER)
    on.clear()
    for thread in threads:
        thread.join()
    cells = [f"{1000 * max(waits[name]):.0f} ms" for name in honest]
    memory = f"{before:.0f}, {most[0]:.0f}, {served.memory():.0f}"
    return f"| {attack.name} | {cells[0]} | {cells[1]} | {memory} | {got} |"


def _picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 40, np.uint8)).save(file, "PNG")
    return file.getvalue()


def _claim(side: int) -> bytes:
    """A whole PNG of zeros, 1 bit a pixel, side×side."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">LLBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _body(*images: bytes) -> bytes:
    rows = [{"b64": base64.b64encode(image).decode("ascii")} for image in images]
    return json.dumps({"signature_name": "decompose", "instances": rows}).encode()


def _declared(rows: int, *strings: bytes) -> Callable[[Served], str]:
    """A gRPC message that declares a number of rows and holds these."""

    def send(served: Served) -> str:
        proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, string_val=strings)
        proto.tensor_shape.dim.add(size=rows)
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = served.model, "decompose"
        request.inputs["image_bytes"].CopyFrom(proto)
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            try:
                prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(request, timeout=60)
                return "an answer"
            except grpc.RpcError as error:
                return error.code().name

    return send


def _reload(served: Served) -> str:
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        try:
            model_service_pb2_grpc.ModelServiceStub(channel).HandleReloadConfigRequest(request, timeout=60)
            return "an answer"
        except grpc.RpcError as error:
            return error.code().name


def _flood(unit: bytes, count: int) -> Callable[[Served], int]:
    return lambda served: served.predict(b'{"instances": [' + unit * count + b"0]}")


def _silent(count: int, sent: bytes, to_grpc: bool = False) -> Callable[[Served], str]:
    """Holds connections on which nothing, or half a header, arrives."""

    def send(served: Served) -> str:
        port = served.grpc_port if to_grpc else served.port
        held = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(count)]
        for each in held[::2]:
            each.sendall(sent)
        time.sleep(20)
        still = sum(_is_open(each) for each in held)
        for each in held:
            each.close()
        return f"{still} of {count} open after 20 s"

    return send


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        while connection.recv(1 << 12):
            pass
        return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _gone(served: Served) -> str:
    """Clients that go away in the middle of a request."""
    for _ in range(200):
        _unfinished(served).close()
    return "nothing"


def _unfinished(served: Served) -> socket.socket:
    """An upload of which the first byte has been sent."""
    connection = socket.create_connection(("127.0.0.1", served.port))
    head = f"POST /v1/models/{served.model}:predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99\r\n\r\n"
    connection.sendall(head.encode() + b"{")
    return connection


def _header(name: str, value: str) -> Callable[[Served], int]:
    return lambda served: served.predict(_body(_picture(60, 40)), {name: value, "Content-Type": "text/plain"})


def _swap(served: Served, folder: Path) -> str:
    """Publishes a copy of the newest version, and waits until it is served."""
    newest = max(int(path.name) for path in folder.iterdir() if path.name.isdigit())
    staged = folder / ".staged"
    shutil.copytree(folder / str(newest), staged)
    staged.rename(folder / str(newest + 1))
    end = time.monotonic() + _LONGEST_SWAP
    while not served.has(newest + 1):
        if time.monotonic() > end:
            return f"no new version within {_LONGEST_SWAP} s"
        time.sleep(0.1)
    shutil.rmtree(folder / str(newest))
    return "the new version"


def _stop(served: Served) -> int:
    """SIGTERM beside an unfinished upload; 1 when the process does not end with code 0."""
    with _unfinished(served):
        time.sleep(0.5)
        started = time.perf_counter()
        served.process.send_signal(signal.SIGTERM)
        try:
            code = served.process.wait(60)
        except subprocess.TimeoutExpired:
            code = None
    seconds = time.perf_counter() - started
    print(f"\nSIGTERM beside an unfinished upload: ended after {seconds:.1f} s with {code}")
    return int(code != 0)


def _attacks() -> Iterator[Attack]:
    yield Attack("none", lambda served: time.sleep(5))
    claim = _body(_claim(60_000))
    yield Attack("PNG of 60000×60000", lambda served: served.predict(claim))
    yield Attack("gRPC, 16 million rows declared, one sent", _declared(16_000_000, b"a"))
    yield Attack("gRPC, one PNG of 20000×20000 declared 30 times", _declared(30, _claim(20_000)))
    yield Attack("`[],[],…`, 28 MiB", _flood(b"[],", (28 << 20) // 3))
    yield Attack("two million lists", _flood(b"[],", 2_000_000))
    yield Attack("eight million numbers", _flood(b"0,", 8_000_000))
    yield Attack("40 silent connections", _silent(40, b"POST / HTTP/1.1\r\nHost: 127"))
    yield Attack("600 silent connections", _silent(600, b"GET"))
    yield Attack("300 silent gRPC connections", _silent(300, b"PRI", to_grpc=True))
    yield Attack("200 clients that go away", _gone)
    yield Attack("Host of somebody else", _header("Host", "evil.example"))
    yield Attack("page of somebody else", _header("Origin", "http://evil.example"))
    yield Attack("reload of an empty list", _reload)


if __name__ == "__main__":
    sys.exit(main())
