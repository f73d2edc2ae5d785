"""The embedded server's own promises: batching, isolation, shedding, limits, metrics."""

import base64
import gzip
import json
import re
import socket
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from PIL import Image
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow.core.framework.types_pb2 import DT_STRING
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from kind.serving.limits import Limits
from kind.serving.server.parameters import UNBATCHED, Batching

POST = b"POST /v1/models/kind:predict HTTP/1.1\r\nHost: 127.0.0.1\r\n"
REPOSITORY = Path(__file__).resolve().parents[4]


def test_clients_share_batches_and_get_their_own_images_back(serve, images, slow):
    slow.seconds = 0.05
    rest = serve(batching=Batching(4, 20_000, 100, 1, (1, 2, 4)))
    slow.batches.clear()
    levels = list(range(10, 34))
    answers = rest.at_once([images(4 + level % 3, 5, level) for level in levels], 3.0)
    assert [(status, rest.level(answer)) for status, answer in answers] == [
        (200, 3 * level) for level in levels
    ]
    assert sum(slow.batches) == 24 and max(slow.batches) == 4 and set(slow.batches) <= {1, 2, 4}


def test_a_bad_image_fails_nobody_else(serve, images):
    rest = serve(batching=Batching(4, 300_000, 100, 1))
    bad = images()[:-20]
    answers = rest.at_once([images(), bad, images(), images()])
    assert [status for status, _ in answers] == [200, 400, 200, 200]
    message = answers[1][1]["error"]
    assert "\n" not in message and "[[" not in message and "__inference" not in message and message


def test_too_much_work_is_refused_and_the_server_recovers(serve, images, slow):
    rest = serve(batching=Batching(1, 0, 2, 1))
    slow.seconds = 0.2
    answers = rest.at_once([images()] * 12)
    statuses = [status for status, _ in answers]
    assert set(statuses) == {200, 503} and 3 <= statuses.count(200) <= 8
    refused = next(answer for status, answer in answers if status == 503)
    assert "queue" in refused["error"]
    slow.seconds = 0
    assert rest.enhance(images())[0] == 200
    exposition = rest.ask("GET", "/monitoring/prometheus/metrics").data.decode()
    assert f'request_count{{model_name="kind",status="UNAVAILABLE"}} {statuses.count(503)}.0' in exposition


def test_too_many_at_once_are_refused_before_they_are_read(serve, images, slow):
    rest = serve(limits=Limits(in_flight=6))  # of which one address has half
    slow.seconds = 0.5
    statuses = [status for status, _ in rest.at_once([images()] * 8)]
    assert statuses.count(503) >= 3 and statuses.count(200) >= 3
    slow.seconds = 0
    assert rest.enhance(images())[0] == 200


def test_without_batching_requests_run_alone(serve, images, slow):
    rest = serve(batching=UNBATCHED)
    slow.batches.clear()
    assert {status for status, _ in rest.at_once([images()] * 8)} == {200}
    assert slow.batches == [1] * 8


def test_limits_are_answered_with_4xx(serve, images):
    rest = serve(limits=Limits(request_bytes=20_000, pixels=2000, seconds=30))
    assert rest.enhance(images(40, 50))[0] == 200
    status, answer = rest.enhance(images(40, 51))
    assert status == 400 and "2040 pixels in one request; the limit is 2000" in answer["error"]
    status, answer = rest.enhance(b"x" * 30_000)
    assert status == 413 and "20000" in answer["error"]
    bomb = gzip.compress(b" " * 10_000_000)
    answer = rest.ask("POST", "/v1/models/kind:predict", body=bomb, headers={"Content-Encoding": "gzip"})
    assert answer.status == 413
    with grpc.insecure_channel(f"127.0.0.1:{rest.server.grpc_port}") as channel:
        from kind.serving.errors import ServerError
        from kind.serving.transport_grpc import GrpcTransport

        transport = GrpcTransport(f"127.0.0.1:{rest.server.grpc_port}", "kind", None, 1_000_000)
        with pytest.raises(ServerError) as caught:
            transport.predict("serving_default", {"image_bytes": [b"x" * 30_000]}, (), 10)
        assert caught.value.code == "RESOURCE_EXHAUSTED" and channel
        transport.close()
    assert rest.enhance(images())[0] == 200


def test_a_request_with_an_encoding_is_understood(serve, images):
    rest = serve()
    image = base64.b64encode(images()).decode()
    body = gzip.compress(json.dumps({"instances": [{"b64": image}]}).encode())
    answer = rest.ask("POST", "/v1/models/kind:predict", body=body, headers={"Content-Encoding": "gzip"})
    assert answer.status == 200
    broken = rest.ask("POST", "/v1/models/kind:predict", body=b"x", headers={"Content-Encoding": "gzip"})
    assert broken.status == 400 and "error" in broken.json()


def test_late_answers_are_504_and_late_bodies_end(serve, images, slow):
    rest = serve(limits=Limits(seconds=0.3))
    slow.seconds = 1.0
    status, answer = rest.enhance(images())
    assert status == 504 and "not answered within 0.3 s" in answer["error"]
    slow.seconds = 0
    with socket.create_connection(("127.0.0.1", rest.server.rest_port), timeout=10) as slowly:
        slowly.sendall(POST + b"Content-Length: 100\r\n\r\n{")
        assert b" 504 " in slowly.recv(1000)
    time.sleep(1)
    assert rest.enhance(images())[0] == 200


def test_who_goes_away_frees_the_place(serve, images, slow):
    rest = serve(batching=Batching(1, 0, 1, 1))
    slow.seconds = 0.8
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(rest.enhance, images())
        time.sleep(0.2)
        body = json.dumps({"instances": [{"b64": base64.b64encode(images()).decode()}]}).encode()
        head = POST + f"Content-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection(("127.0.0.1", rest.server.rest_port)) as impatient:
            impatient.sendall(head + body)
            time.sleep(0.2)
        time.sleep(0.1)
        assert rest.enhance(images())[0] == 200  # in the place of the one who went
        assert first.result()[0] == 200
    assert slow.batches[-2:] == [1, 1]


def test_metrics_have_the_real_servers_names(serve, images):
    rest = serve(metrics_path="/metrics")
    rest.enhance(images())
    rest.ask("POST", "/v1/models/nobody:predict", {"instances": [1]})
    answer = rest.ask("GET", "/metrics")
    text = answer.data.decode()
    assert (
        answer.headers["Content-Type"].startswith("text/plain") and rest.ask("GET", "/nothing").status == 404
    )
    for line in (
        "# TYPE :tensorflow:serving:request_count counter",
        ':tensorflow:serving:request_count{model_name="kind",status="OK"} 1.0',
        ':tensorflow:serving:request_count{model_name="",status="NOT_FOUND"} 1.0',
        ':tensorflow:serving:request_latency_count{API="Predict",entrypoint="REST",model_name="kind"} 1.0',
        ':tensorflow:serving:runtime_latency_count{API="Predict",model_name="kind",runtime="TF2"} 1.0',
        ':tensorflow:serving:request_example_count_total{model="kind"} 1.0',
        ':tensorflow:serving:batching_session:queuing_latency_count{thread_pool_name="kind"} 1.0',
        "kind_requests_waiting 0.0",
    ):
        assert line in text, line
    assert "_created" not in text and not re.search(r"request_count_total", text)
    assert "nobody" not in text


def test_health_and_no_metrics(serve):
    rest = serve(metrics_path=None)
    assert rest.ask("GET", "/healthz").json() == {"status": "SERVING"}
    assert rest.ask("GET", "/monitoring/prometheus/metrics").status == 404


def tensor(rows, *strings):
    """A message that declares a number of strings and holds others."""
    proto = TensorProto(dtype=DT_STRING, string_val=strings)
    proto.tensor_shape.dim.add(size=rows)
    return proto


@pytest.mark.parametrize(
    ("rows", "strings", "message"),
    [
        (16_000_000, [b"a"], "16000000 rows in one request; the limit is 4096"),
        (30, [b"a"], "declares 30 strings, received 1"),
        (1, [b"a", b"b"], "declares 1 strings, received 2"),
    ],
)
def test_rows_that_are_declared_and_not_sent_are_refused(serve, monkeypatch, rows, strings, message):
    rest = serve()
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = "kind", "decompose"
    request.inputs["image_bytes"].CopyFrom(tensor(rows, *strings))

    def read_nothing(data):
        raise AssertionError("content was looked at")

    monkeypatch.setattr("kind.serving.server.signatures.read_size", read_nothing)
    with grpc.insecure_channel(f"127.0.0.1:{rest.server.grpc_port}") as channel:
        call = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict
        with pytest.raises(grpc.RpcError) as caught:
            call(request, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT and message in caught.value.details()


def test_pixels_are_counted_without_decoding(serve, monkeypatch):
    """A PNG whose header claims 60000×60000: refused by the limit, and no decoder is called for it."""
    rest = serve()
    header = struct.pack(">LLBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    checksum = struct.pack(">L", zlib.crc32(b"IHDR" + header))
    claim = b"\x89PNG\r\n\x1a\n" + struct.pack(">L", 13) + b"IHDR" + header + checksum

    def decode_nothing(*_):
        raise AssertionError("Pillow was asked")

    monkeypatch.setattr(Image.Image, "getexif", decode_nothing)
    monkeypatch.setattr(Image, "open", decode_nothing)
    status, answer = rest.enhance(claim)
    assert status == 400 and "3600000000 pixels in one request; the limit is 50000000" in answer["error"]


def test_more_rows_than_the_limit_are_refused(serve, images):
    rest = serve(limits=Limits(rows=2))
    image = {"b64": base64.b64encode(images()).decode()}
    for count, status in ((2, 200), (3, 400)):
        answer = rest.ask("POST", "/v1/models/kind:predict", {"instances": [image] * count})
        assert answer.status == status
    assert "3 rows in one request; the limit is 2" in answer.json()["error"]
