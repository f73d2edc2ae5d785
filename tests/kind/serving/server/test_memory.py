"""What requests leave in memory when they have ended, before Python looks for garbage."""

import gc
import time
import tracemalloc

import grpc
import pytest

from kind.serving.protos import DT_STRING, predict_pb2
from kind.serving.server.image_requests import PATH

REQUESTS, SIZE = 10, 500_000  # bytes of each: what is larger is read in another process
MOST_KEPT = REQUESTS * SIZE // 10


@pytest.fixture
def kept_after(serve):
    """(send) → bytes that many requests leave, each sent by a call of `send` with a client of a server."""
    rest = serve()

    def kept_after(send):
        send(rest)  # the first one prepares what the next ones need
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for _ in range(REQUESTS):
                send(rest)
            end = time.monotonic() + 10  # a request ends some time after its client has the answer
            while (kept := tracemalloc.get_traced_memory()[0]) > MOST_KEPT and time.monotonic() < end:
                time.sleep(0.05)
            return kept
        finally:
            tracemalloc.stop()
            gc.enable()

    return kept_after


@pytest.mark.parametrize("path", [PATH, "/v1/models/kind:predict"])
def test_refused_uploads_are_not_kept(kept_after, path):
    def send(rest):
        assert rest.ask("POST", path, body=bytes(SIZE)).status == 400

    assert kept_after(send) < MOST_KEPT


@pytest.mark.parametrize("is_refused", [False, True])
def test_messages_are_not_kept(kept_after, images, is_refused):
    image = bytes(SIZE) if is_refused else images() + bytes(SIZE)

    def send(rest):
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = "kind", "decompose"
        request.inputs["image_bytes"].dtype = DT_STRING
        request.inputs["image_bytes"].tensor_shape.dim.add(size=1)
        request.inputs["image_bytes"].string_val.append(image)
        with grpc.insecure_channel(f"127.0.0.1:{rest.server.grpc_port}") as channel:
            predict = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
            if is_refused:
                with pytest.raises(grpc.RpcError, match="INVALID_ARGUMENT"):
                    predict(request.SerializeToString())
            else:
                assert predict(request.SerializeToString())

    assert kept_after(send) < MOST_KEPT
