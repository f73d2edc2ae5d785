"""A server to attack, and the attacks of `benchmarks.serving_attacks`."""

from __future__ import annotations

import base64
import contextlib
import http.client
import io
import json
import re
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import grpc
import numpy as np
from PIL import Image

from benchmarks.grpc_upload import UnfinishedMessage
from kind.profiling.memory import resident_with_children
from kind.serving import Client
from kind.serving.protos import DT_STRING, DataType, TensorProto, model_management_pb2, predict_pb2

REPOSITORY = Path(__file__).resolve().parent.parent
_HTTP_TIMEOUT = 120


class Served(NamedTuple):
    """A running server: its process, ports and model."""

    process: subprocess.Popen | None
    pid: int
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
        """Resident MiB of the server and of the processes that it has started."""
        return resident_with_children(self.pid)


class Attack(NamedTuple):
    """An attack: its name, and what sends it and returns what the attacker got."""

    name: str
    send: Callable[[Served], object]


def start(folder: Path, checkout: Path = REPOSITORY) -> Served:
    """Starts a server for a model's folder, and waits until it is ready."""
    command = [sys.executable, "-m", "kind", "serve", str(folder), "--rest-port", "0", "--grpc-port", "0"]
    process = subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, text=True)
    lines = [process.stdout.readline() for _ in range(3)]
    if not lines[-1]:
        raise SystemExit("the server did not start")
    ports = [int(re.search(r":(\d+)(?:/|$)", line.strip())[1]) for line in lines]
    served = Served(process, process.pid, ports[0], ports[2], folder.name)
    while served.ask("GET", "/healthz") != 200:
        time.sleep(0.1)
    # The first image of each signature makes the model prepare it, which takes memory for good.
    _enhance(picture(60, 40))(served)
    return served


def picture(width: int, height: int) -> bytes:
    """A PNG of one colour."""
    file = io.BytesIO()
    Image.fromarray(np.full((height, width, 3), 40, np.uint8)).save(file, "PNG")
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))


def _with_texts(count: int) -> bytes:
    """A PNG with EXIF data as packed text many times, each 1 MiB of line breaks."""
    whole = picture(60, 40)
    text = _chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"\n" * (1 << 20)))
    return whole[:-12] + text * count + whole[-12:]


def _claim(side: int) -> bytes:
    """A whole PNG of zeros, 1 bit a pixel, side×side."""
    packer = zlib.compressobj(9)
    row = bytes(1 + (side + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">LLBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def body_of(*images: bytes) -> bytes:
    """The JSON of a request to decompose them."""
    rows = [{"b64": base64.b64encode(image).decode("ascii")} for image in images]
    return json.dumps({"signature_name": "decompose", "instances": rows}).encode()


def _declared(rows: int, *strings: bytes) -> Callable[[Served], str]:
    """A gRPC message that declares a number of rows and holds these."""

    def send(served: Served) -> str:
        proto = TensorProto(dtype=DT_STRING, string_val=strings)
        proto.tensor_shape.dim.add(size=rows)
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = served.model, "decompose"
        request.inputs["image_bytes"].CopyFrom(proto)
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            return _called(channel, "PredictionService/Predict", request.SerializeToString())

    return send


def _arrays_of_one_number(count: int) -> Callable[[Served], str]:
    """A gRPC message with inputs of 256 MiB each, for all of which one number stands."""

    def send(served: Served) -> str:
        request = predict_pb2.PredictRequest()
        request.model_spec.name = served.model
        for number in range(count):
            proto = TensorProto(dtype=DataType.Value("DT_FLOAT"), float_val=[1.0])
            for size in (1, 8192, 8192):
                proto.tensor_shape.dim.add(size=size)
            request.inputs[f"a{number}"].CopyFrom(proto)
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            return _called(channel, "PredictionService/Predict", request.SerializeToString())

    return send


def _long_text_among_numbers(served: Served) -> int:
    """JSON of 300 KB in which one text is long, and 50,000 are empty."""
    texts = ["a" * 100_000] + [""] * 50_000
    return served.predict(json.dumps({"inputs": {"image_bytes": "", "alpha": [texts]}}).encode())


def _empty_strings(count: int, *shape: int) -> Callable[[Served], str]:
    """A gRPC message of two bytes for each string."""

    def send(served: Served) -> str:
        proto = TensorProto(dtype=DT_STRING)
        for size in shape:
            proto.tensor_shape.dim.add(size=size)
        proto = proto.SerializeToString() + b"\x42\x00" * count
        request = predict_pb2.PredictRequest()
        request.model_spec.name = served.model
        head = b"\x0a\x0bimage_bytes\x12" + _varint(len(proto))
        message = request.SerializeToString() + b"\x12" + _varint(len(head) + len(proto)) + head + proto
        with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
            return _called(channel, "PredictionService/Predict", message)

    return send


def _varint(number: int) -> bytes:
    head = bytearray()
    while number > 127:
        head.append(number & 127 | 128)
        number >>= 7
    return bytes([*head, number])


def _reload(served: Served) -> str:
    request = model_management_pb2.ReloadConfigRequest()
    request.config.model_config_list.SetInParent()
    with grpc.insecure_channel(f"127.0.0.1:{served.grpc_port}") as channel:
        message = request.SerializeToString()
        return _called(channel, "ModelService/HandleReloadConfigRequest", message)


def _called(channel: grpc.Channel, method: str, message: bytes) -> str:
    """What a gRPC server says to a message."""
    try:
        channel.unary_unary(f"/tensorflow.serving.{method}")(message, timeout=60)
        return "an answer"
    except grpc.RpcError as error:
        return error.code().name


def _flood(unit: bytes, count: int) -> Callable[[Served], int]:
    return lambda served: served.predict(b'{"instances": [' + unit * count + b"0]}")


def _ending_together(count: int, body: bytes) -> Callable[[Served], str]:
    """Requests to run the model whose last bytes arrive at the same time."""

    def send(served: Served) -> str:
        content = _upload_head(len(body), f"/v1/models/{served.model}:predict") + body
        with contextlib.ExitStack() as held:
            address = "127.0.0.1", served.port
            connections = [
                held.enter_context(socket.create_connection(address, timeout=30)) for _ in range(count)
            ]
            for connection in connections:
                connection.sendall(content[:-1])
            time.sleep(0.5)
            for connection in connections:
                connection.sendall(content[-1:])
            got = Counter(connection.makefile("rb").read(12)[9:].decode() for connection in connections)
        return ", ".join(f"{number} × {what or 'closed'}" for what, number in sorted(got.items()))

    return send


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
        unfinished(served).close()
    return "nothing"


def _upload_head(size: int, path: str = "/v1/enhance") -> bytes:
    """The header of an upload."""
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n\r\n".encode()


def unfinished(served: Served) -> socket.socket:
    """An upload of which the first byte has been sent."""
    connection = socket.create_connection(("127.0.0.1", served.port))
    connection.sendall(_upload_head(99, f"/v1/models/{served.model}:predict") + b"{")
    return connection


def _header(name: str, value: str) -> Callable[[Served], int]:
    return lambda served: served.predict(
        body_of(picture(60, 40)), {name: value, "Content-Type": "text/plain"}
    )


_FORM = "multipart/form-data; boundary=x"


def _enhance(
    body: bytes, content_type: str = "application/octet-stream", query: str = ""
) -> Callable[[Served], int]:
    """Sends a body to `/v1/enhance`."""
    headers = {"Content-Type": content_type}
    return lambda served: served.ask("POST", f"/v1/enhance{query}", body, headers)


def _form(files: int, content: bytes) -> bytes:
    """A form with files of one content."""
    part = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n%b\r\n' % content
    return part * files + b"--x--\r\n"


def _dripping(count: int) -> Callable[[Served], str]:
    """Uploads to `/v1/enhance` of which one byte arrives every second."""

    def send(served: Served) -> str:
        held = [socket.create_connection(("127.0.0.1", served.port), timeout=5) for _ in range(count)]
        for byte in (_upload_head(900_000), *[b"\x89"] * 20):
            for each in held:
                with contextlib.suppress(OSError):
                    each.sendall(byte)
            time.sleep(1)
        still = sum(_is_open(each) for each in held)
        for each in held:
            each.close()
        return f"{still} of {count} open after 20 s"

    return send


def _without_end(count: int, size: int) -> Callable[[Served], str]:
    """Uploads to `/v1/enhance` of which all but the last byte arrives."""
    content = _upload_head(size) + bytes(size - 1)

    def send(served: Served) -> str:
        def upload(_: int) -> str:
            try:
                with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
                    connection.sendall(content)
                    return connection.makefile("rb").read(12)[9:].decode() or "closed"
            except OSError:
                return "cut"

        return _together(count, upload)

    return send


def _together(count: int, upload: Callable[[int], str]) -> str:
    """What as many uploads at the same time got, and how often."""
    with ThreadPoolExecutor(count) as threads:
        got = list(threads.map(upload, range(count)))
    return ", ".join(f"{number} × {what}" for what, number in sorted(Counter(got).items()))


def _unfinished_messages(count: int, size: int) -> Callable[[Served], str]:
    """Calls of gRPC of whose message all but the last byte arrives."""

    def send(served: Served) -> str:
        def upload(_: int) -> str:
            try:
                message = UnfinishedMessage(served.grpc_port, size)
            except OSError:
                return "refused"
            try:
                message.send(20)
                return "open after 20 s"
            except OSError:
                return "cut"
            finally:
                message.close()

        return _together(count, upload)

    return send


def attacks() -> Iterator[Attack]:
    """All of them, a row of the table each."""
    yield Attack("none", lambda served: time.sleep(5) or "–")
    claim = body_of(_claim(60_000))
    yield Attack("PNG of 60000×60000", lambda served: served.predict(claim))
    yield Attack("`/v1/enhance`, PNG of 60000×60000", _enhance(_claim(60_000)))
    yield Attack("`/v1/enhance`, PNG with 200 packed texts of 1 MiB", _enhance(_with_texts(200)))
    yield Attack("`/v1/enhance`, 60 MiB of zeros", _enhance(bytes(60 << 20)))
    yield Attack("`/v1/enhance`, a form of 200,000 empty files", _enhance(_form(200_000, b""), _FORM))
    yield Attack("`/v1/enhance`, a form without an end", _enhance(_form(1, bytes(60 << 20))[:-9], _FORM))
    yield Attack("`/v1/enhance`, 3,000 parameters", _enhance(b"a", query="?" + "a&" * 3000))
    yield Attack("`/v1/enhance`, 20 uploads of a byte a second", _dripping(20))
    yield Attack("`/v1/enhance`, 100 uploads of a byte a second", _dripping(100))
    yield Attack("`/v1/enhance`, 40 uploads of 60 MiB without an end", _without_end(40, 60 << 20))
    yield Attack("gRPC, 16 million rows declared, one sent", _declared(16_000_000, b"a"))
    yield Attack("gRPC, one PNG of 20000×20000 declared 30 times", _declared(30, _claim(20_000)))
    yield Attack("gRPC, 2 inputs of 256 MiB from one number each", _arrays_of_one_number(2))
    yield Attack("gRPC, 100 inputs of 256 MiB from one number each", _arrays_of_one_number(100))
    yield Attack("300 KB of JSON with one long text among 50,000", _long_text_among_numbers)
    yield Attack("gRPC, 40 messages of 60 MiB without an end", _unfinished_messages(40, 60 << 20))
    yield Attack("`[],[],…`, 28 MiB", _flood(b"[],", (28 << 20) // 3))
    yield Attack("two million lists", _flood(b"[],", 2_000_000))
    yield Attack("eight million numbers", _flood(b"0,", 8_000_000))
    large = body_of(bytes(47 << 20))
    yield Attack("63 MiB of base64", lambda served: served.predict(large))
    yield Attack("gRPC, 33 million empty strings in 63 MiB", _empty_strings(63 << 19))
    count = 63 << 19
    yield Attack("gRPC, 33 million empty strings in one row", _empty_strings(count, 1, count))
    lists = b'{"instances": [' + b"[1,1],[]," * 28_000 + b"0]}"
    yield Attack("40 bodies of 250 KB of small lists that end together", _ending_together(40, lists))
    yield Attack("40 silent connections", _silent(40, b"POST / HTTP/1.1\r\nHost: 127"))
    yield Attack("600 silent connections", _silent(600, b"GET"))
    yield Attack("300 silent gRPC connections", _silent(300, b"PRI", to_grpc=True))
    greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
    yield Attack(
        "500 gRPC connections that say who they are and ask nothing", _silent(500, greeting, to_grpc=True)
    )
    yield Attack("200 clients that go away", _gone)
    yield Attack("Host of somebody else", _header("Host", "evil.example"))
    yield Attack("page of somebody else", _header("Origin", "http://evil.example"))
    yield Attack("reload of an empty list", _reload)
