"""A server that lies: every answer of it is one line of error, soon and without filling the memory."""

import base64
import contextlib
import gzip
import http.server
import io
import json
import socket
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.serving.answers import changes_of, detections_of, image_of, status_of
from kind.serving.client import Client
from kind.serving.errors import ServerError
from kind.serving.message_sizes import check_answer
from kind.serving.protos import TensorProto, predict_pb2
from kind.serving.server.tensor_protos import proto_of

OK = b"HTTP/1.1 200 OK\r\n"
ROWS = 3
GOOD = {
    "boxes": [[[0, 0, 9, 6]] * ROWS],
    "scores": [[0.9, 0.5, 0]],
    "classes": [[1, 0, -1]],
    "class_names": [["spot", b"\xc3\xa4\x1b[31m", ""]],
    "number": [2],
}


def png(width, height):
    file = io.BytesIO()
    Image.new("RGB", (width, height)).save(file, "PNG")
    return file.getvalue()


def nested(depth, value=1):
    """A list in a list, and so on."""
    for _ in range(depth):
        value = [value]
    return value


def test_good_boxes_are_arrays_with_harmless_names():
    found = detections_of(GOOD)
    assert (
        found.boxes.shape == (2, 4) and found.boxes.dtype == np.float32 and found.classes.tolist() == [1, 0]
    )
    assert found.names == ("spot", "ä\\x1b[31m")
    empty = {
        "boxes": np.zeros((1, 0, 4)),
        "scores": [[]],
        "classes": [[]],
        "class_names": [[]],
        "number": [0],
    }
    assert detections_of(empty).boxes.shape == (0, 4)


COMPARED = {
    "probability_bytes": [b"one"],
    "mask_bytes": [b"two"],
    "boxes": [[[0, 0, 9, 6], [0, 0, 0, 0]]],
    "areas": [[54, 0]],
    "scores": [[0.9, 0]],
    "number": [1],
}


def test_good_changes_are_arrays():
    found = changes_of(COMPARED)
    assert (found.probability, found.mask) == (b"one", b"two")
    assert found.boxes.tolist() == [[0, 0, 9, 6]] and found.areas.tolist() == [54]
    assert found.scores == pytest.approx([0.9])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mask_bytes", ["text"]),
        ("areas", [[1.5, 0]]),
        ("areas", [[2**40, 0]]),
        ("areas", [[-5, 0]]),
        ("areas", [[1, 2], [3]]),
        ("scores", [[2, 0]]),
        ("boxes", [[[0] * 4]]),
        ("number", [3]),
    ],
)
def test_changes_of_all_kinds_are_checked(name, value):
    with pytest.raises(ServerError, match="answer is wrong"):
        changes_of({**COMPARED, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("number", value)
            for value in ([4], [-1], [1.5], 2, [], ["2"], None, [[2]], [2**70], [True], [10**19])
        ],
        *[
            ("boxes", value)
            for value in ([[[0, 0, 9]] * 3], [[[0, 0, 9, 6]] * 2], [[["a"] * 4] * 3], None, {}, 5)
        ],
        ("boxes", [[[0, 0, 9, float("nan")]] * 3]),
        ("boxes", [[[0, 0, 9, 1e300]] * 3]),
        ("scores", [[0.5, 2, 0]]),
        ("scores", [[0.5, -1, 0]]),
        ("scores", [0.5, 0.5, 0]),
        ("classes", [[1, 2**31, 0]]),
        ("classes", [[-1, 0, 0]]),
        ("classes", [[1.5, 0, 0]]),
        ("class_names", [["spot"]]),
        ("class_names", "spot"),
        ("class_names", [[1, 2, 3]]),
        ("class_names", [[["x"], "y", "z"]]),
        ("class_names", 7),
        ("class_names", np.array(b"spot", object)),
        ("class_names", np.array([b"spot"], object)),
        ("class_names", nested(40)),
        ("scores", [[0.5, 1], [0]]),
        ("scores", nested(40)),
        ("scores", nested(500)),
    ],
)
def test_boxes_of_all_kinds_are_checked(name, value):
    with pytest.raises(ServerError, match="the server's answer is wrong"):
        detections_of({**GOOD, name: value})


def test_text_among_numbers_takes_no_memory():
    """NumPy would make each of 40 places as wide as the longest text: 12 MB times 40."""
    scores = [["x" * 3_000_000, *"y" * 39]]
    tracemalloc.start()
    try:
        for check, name in ((detections_of, "scores"), (detections_of, "class_names"), (changes_of, "areas")):
            with pytest.raises(ServerError, match="answer is wrong"):
                check({**COMPARED, **(GOOD if check is detections_of else {}), name: scores})
        with pytest.raises(ServerError, match="no list of one image"):
            image_of({"mask_bytes": scores[0]}, "mask_bytes")
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "value",
    [None, [], b"x", "x", ["x"], [b""], [b"a", b"b"], [[b"x"]], {}, 5, [None]]
    + [[[1], [1, 2]], [[[1], [1, 2]]], nested(40), np.array(b"x", object), np.array([[b"x"]], object)],
)
def test_an_image_is_bytes(value):
    with pytest.raises(ServerError, match="enhanced_bytes"):
        image_of({"enhanced_bytes": value}, "enhanced_bytes")
    assert image_of({"enhanced_bytes": [b"x"]}, "enhanced_bytes") == b"x"


@pytest.mark.parametrize(
    "value",
    [None, {}, [1], [{}]]
    + [[{"version": version, "state": "END"}] for version in ("x", "-1", "9" * 5000, None, "²")]
    + [[{"version": "1", "state": state}] for state in ("\x1b[2J", [], None)],
)
def test_a_status_is_checked(value):
    with pytest.raises(ServerError, match="not the status"):
        status_of(value)
    assert status_of([{"version": "2", "state": "AVAILABLE"}]) == {2: "AVAILABLE"}


@contextlib.contextmanager
def lying(answer):
    """(its address) of a server that calls `answer` with each connection once something has arrived."""
    listening, threads = socket.create_server(("127.0.0.1", 0)), []

    def talk(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            answer(connection)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threads.append(threading.Thread(target=talk, args=(listening.accept()[0],)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join()
        for thread in threads:
            thread.join()


DRIBBLED = 200


def dribble(start, sent):
    def answer(connection):
        connection.sendall(start)
        for number in range(DRIBBLED):
            connection.sendall(b" ")
            sent.append(number)
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX:",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
    ],
)
def test_one_time_limit_holds_for_the_whole_answer(start):
    sent = []
    with lying(dribble(start, sent)) as address, Client(address, timeout=0.4, retries=0) as client:
        with pytest.raises(ServerError, match="no answer within 0.4 s") as caught:
            client.status()
        assert len(sent) < DRIBBLED and caught.value.code == "DEADLINE_EXCEEDED"


def said(body, head=b""):
    def answer(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body)

    return answer


def sent(data):
    return lambda connection: connection.sendall(data)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def endless(connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b" " * (1 << 16))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (endless, "more than 2000000 bytes"),
        (said(gzip.compress(b" " * 10**7), b"Content-Encoding: gzip\r\n"), r"is packed \(gzip\)"),
        (said(b"[" * 10**5), "HTTP 200"),
        (said(b'{"model_version_status": ' + b"[" * 10**5 + b"]" * 10**5 + b"}"), "HTTP 200"),
        (said(b'{"model_version_status": ' + b"9" * 10**6 + b"}"), "HTTP 200"),
        (said(b'{"error": "' + b"\\u001b[2Jx" * 10**4 + b'"}'), "not the status"),
        (sent(b'HTTP/1.1 503 x\r\nRetry-After: \xb2\r\n\r\n{"error": "\\u001b[2J"}'), "x1b.2J .HTTP 503"),
        (sent(b"HTTP/1.1 500 \x1b[31m\r\n\r\n{}"), "HTTP 500"),
        (sent(b"HTTP/1.1 302 x\r\nLocation: file:///etc\r\n\r\n"), "HTTP 302"),
        (sent(b"\x00\x1b" * 1000), "cannot be reached"),
        (sent(CHUNKED + b"-5\r\n{}\r\n"), "cannot be reached"),
        (sent(CHUNKED + b"f" * 30 + b"\r\n{}\r\n"), "cannot be reached"),
        (sent(CHUNKED + b"\xb2\r\n{}\r\n"), "cannot be reached"),
    ],
)
def test_answers_of_all_kinds_are_one_short_line(answer, message):
    with lying(answer) as address:
        with Client(address, timeout=5, retries=0, max_bytes=2_000_000) as client:
            with pytest.raises(ServerError, match=message) as caught:
                client.status()
        assert len(str(caught.value)) < 400 and str(caught.value).isprintable()


@contextlib.contextmanager
def answering(answers):
    """(its address) of a server that answers one request after another with these objects."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.reply({"model_version_status": []})

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.reply(answers.pop(0))

        def reply(self, content):
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def in_json(data):
    return {"b64": base64.b64encode(data).decode()}


def test_a_folder_goes_on_after_bad_answers(tmp_path, capsys):
    """Five photographs get a wrong size and nonsense, the sixth its own."""
    outputs = [[in_json(png(4, 4))], {"x": 1}, [{"b64": 5}], [[1], [1, 2]], nested(40), [in_json(png(6, 5))]]
    for number in range(len(outputs)):
        (tmp_path / f"{number}.png").write_bytes(png(6, 5))
    with answering([{"outputs": each} for each in outputs]) as address:
        words = ["--out", str(tmp_path / "out"), "--server", address]
        assert main(["remote", "enhance", str(tmp_path), *words]) == 1
    errors = capsys.readouterr().err
    assert (
        "0.png: the server's answer has 4x4 pixels, the photograph 6x5" in errors
        and "Traceback" not in errors
    )
    assert "1.png: " in errors and "2.png: the server's answer is wrong" in errors
    assert "3.png: the server's answer is wrong" in errors and "4.png: the server's answer is" in errors
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["5.png"]


@pytest.mark.parametrize("far", [3e38, 1e9, 6 + 5])
def test_boxes_outside_of_the_photograph_are_not_drawn(tmp_path, capsys, far):
    """Pillow fails to draw the farthest and takes seconds for others; JSON has no infinity."""
    (tmp_path / "0.png").write_bytes(png(6, 5))
    (tmp_path / "1.png").write_bytes(png(6, 5))
    relit = {"enhanced_bytes": [in_json(png(6, 5))]}
    found = {**GOOD, "class_names": [["spot"] * ROWS]}
    bad = {**relit, **found, "boxes": [[[-far, -far, far, far]] * ROWS]}
    good = {**relit, **found, "boxes": [[[-0.5, 0, 6.5, 5]] * ROWS]}
    with answering([{"outputs": bad}, {"outputs": good}]) as address:
        words = ["--out", str(tmp_path / "out"), "--server", address]
        assert main(["remote", "detect", str(tmp_path), *words]) == 1
    errors = capsys.readouterr().err
    assert "0.png: the server's answer is wrong: a box is not within the photograph" in errors
    assert "Traceback" not in errors
    boxes = json.loads((tmp_path / "out/detections.json").read_text())
    assert boxes and {tuple(each["bbox"]) for each in boxes} == {(-0.5, 0, 7, 5)}


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_client_takes_boxes_of_a_photograph_that_may_be_turned(protocol):
    """A server may turn a photograph upright, so its width may be the height."""
    for right, is_good in ((9, True), (12, False)):
        found = {**GOOD, "boxes": [[[0, 0, right, right]] * ROWS], "class_names": [["a", "b", "c"]]}
        with contextlib.ExitStack() as stack:
            if protocol == "rest":
                address = stack.enter_context(answering([{"outputs": found}]))
            else:
                address = stack.enter_context(lying_grpc(response_of(found)))
            client = stack.enter_context(Client(address, protocol, timeout=5, retries=0))
            if not is_good:
                stack.enter_context(pytest.raises(ServerError, match="not within the photograph"))
            assert client.detect(png(9, 6)).boxes[0].tolist() == [0, 0, 9, 9]


@contextlib.contextmanager
def lying_grpc(answer):
    """(its address) of a gRPC server that answers every call with these bytes, or with what it raises."""

    def reply(_, context):
        return answer(context) if callable(answer) else answer

    class Handlers(grpc.GenericRpcHandler):
        def service(self, _):
            return grpc.unary_unary_rpc_method_handler(reply)

    options = [("grpc.max_send_message_length", -1)]
    server = grpc.server(ThreadPoolExecutor(2), handlers=[Handlers()], options=options)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def response(name="enhanced_bytes", **tensor):
    message = predict_pb2.PredictResponse()
    message.outputs[name].CopyFrom(TensorProto(**tensor))
    return message.SerializeToString()


def response_of(outputs):
    """A PredictResponse of lists by name."""
    message = predict_pb2.PredictResponse()
    for name, value in outputs.items():
        array = np.array(value)
        kind = {"U": object, "f": np.float32, "i": np.float32 if name == "boxes" else np.int32}
        array = array.astype(kind[array.dtype.kind])
        if array.dtype == object:
            array = np.array([[text.encode() for text in row] for row in value], object)
        message.outputs[name].CopyFrom(proto_of(array))
    return message.SerializeToString()


def shape(*sizes):
    return {"dim": [{"size": size} for size in sizes]}


def refused(context):
    context.abort(grpc.StatusCode.INTERNAL, "\x1b[2J" * 1000)


def silent(context):
    time.sleep(1.5)
    return b""


TWO_BYTES_A_STRING = b"\x42\x00"
HALF_A_MILLION = b"\x08\x07" + TWO_BYTES_A_STRING * 500_000


def entry(data, number=1):
    """A field of that number, as the bytes of a message."""
    size, head = len(data), bytes([number << 3 | 2])
    while size > 127:
        head, size = head + bytes([size & 127 | 128]), size >> 7
    return head + bytes([size]) + data


EMPTY_SIZES = entry(b"\x0a\x01a" + entry(entry(b"\x12\x00" * (500 << 10), 2), 2))
"""An output whose shape takes 1000 KiB, and 28 times as much once it is unpacked."""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "no output enhanced_bytes"),
        (b"\xff" * 99, "answer is wrong: damaged"),
        (entry(b"\x0a\x01a" + entry(HALF_A_MILLION, 2)), "more than 65536 fields"),
        (entry(b"") * 100_000, "more than 65536 fields"),
        (entry(b"\x0a\x01a" + entry(entry(b"\x01" * (2 << 20), 7), 2)), "more than 1048576 bytes beside"),
        (entry(b"a" * (2 << 20), 2), "more than 1048576 bytes beside"),
        (EMPTY_SIZES * 2, "more than 1048576 bytes beside"),
        (b"a" * 9_000_000, "RESOURCE_EXHAUSTED"),
        (response(dtype=7, string_val=[b"x"], tensor_shape=shape(1 << 40)), "declares"),
        (response(dtype=1, float_val=[1.0], tensor_shape=shape(1 << 40)), "too large"),
        (response(dtype=1, float_val=[1.0], tensor_shape=shape(1)), "holds no image"),
        (response(dtype=7, string_val=[b""], tensor_shape=shape(1)), "holds no image"),
        (response(dtype=7, string_val=[b"x"] * 2, tensor_shape=shape(2)), "no list of one image"),
        (response(dtype=99, string_val=[b"x"], tensor_shape=shape(1)), "not a tensor"),
        (response("\x1b[2J" * 100, dtype=99, tensor_shape=shape(1)), "not a tensor"),
        (refused, r"x1b.2J.*INTERNAL"),
        (silent, "DEADLINE_EXCEEDED"),
    ],
)
def test_grpc_answers_of_all_kinds_are_one_short_line(answer, message):
    with (
        lying_grpc(answer) as address,
        Client(address, "grpc", timeout=1, retries=0, max_bytes=8_000_000) as client,
        pytest.raises(ServerError, match=message) as caught,
    ):
        client.enhance(b"x")
    assert len(str(caught.value)) < 500 and str(caught.value).isprintable()


def test_what_is_no_content_may_be_long_once():
    check_answer(EMPTY_SIZES)
    check_answer(response(dtype=7, string_val=[b"x" * (3 << 20)] * 2, tensor_shape=shape(2)))
    check_answer(response(dtype=1, tensor_content=bytes(3 << 20), tensor_shape=shape(1)))
    with pytest.raises(ValueError, match="more than 1048576 bytes"):
        check_answer(EMPTY_SIZES * 2)


def test_a_grpc_status_is_checked_before_it_is_unpacked():
    for answer in (entry(b"") * 600_000, b"\xff", entry(b"\x08\x01\x10\x63")):
        with lying_grpc(answer) as address, Client(address, "grpc", timeout=5, retries=0) as client:
            with pytest.raises(ServerError, match="answer is wrong"):
                client.status()
