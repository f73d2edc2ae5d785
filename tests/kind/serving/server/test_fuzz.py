"""Whatever is sent, the server answers, and goes on serving."""

import http.client
import json
import socket

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import predict_pb2

from kind.serving.limits import Limits

bounded = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, *HealthCheck]
)

SIGNATURES = ["serving_default", "enhance", "decompose", "detect", "enhance_tensor", "nothing", ""]

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.just({"b64": "iVBORw0KGgo="}),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["image_bytes", "alpha", "images", "b64", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)
contents = st.dictionaries(
    st.sampled_from(["instances", "inputs", "signature_name", "context"]),
    values | st.sampled_from(SIGNATURES),
    max_size=3,
)
tensors = st.builds(
    lambda dtype, sizes, content, floats, texts, unknown: _tensor(
        dtype, sizes, content, floats, texts, unknown
    ),
    st.integers(0, 130),
    st.lists(st.integers(-2, 2**62) | st.integers(0, 4), max_size=9),
    st.binary(max_size=16),
    st.lists(st.floats(width=32), max_size=3),
    st.lists(st.binary(max_size=12), max_size=3),
    st.booleans(),
)


def _tensor(dtype, sizes, content, floats, texts, unknown):
    proto = TensorProto(dtype=dtype, tensor_content=content, float_val=floats, string_val=texts)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.unknown_rank = unknown
    return proto


@pytest.fixture(scope="module")
def server(running, saved_brightener, tmp_path_factory):
    from kind.serving.server.app import Settings
    from kind.serving.server.version_folders import ModelConfig

    folder = tmp_path_factory.mktemp("fuzzed") / "kind"
    folder.mkdir()
    (folder / "1").symlink_to(saved_brightener)
    limits = Limits(request_bytes=1 << 20, pixels=1_000_000, seconds=20)
    configs = (ModelConfig("kind", folder),)
    with running(Settings(configs, rest_port=0, grpc_port=0, limits=limits)) as started:
        yield started
        assert http_status(started.rest_port, "GET", "/healthz") == 200


def http_status(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        content = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 200 or set(content) == {"error"}, content
    return answer.status


@bounded
@given(contents, st.sampled_from(["predict", "classify", "regress"]))
def test_json_of_all_kinds_gets_an_answer(server, content, method):
    status = http_status(server.rest_port, "POST", f"/v1/models/kind:{method}", json.dumps(content))
    assert status in (200, 400, 501)


@bounded
@given(values, st.sampled_from(SIGNATURES))
def test_inputs_of_all_kinds_get_an_answer(server, value, signature):
    for key in ("instances", "inputs"):
        body = json.dumps({"signature_name": signature, key: value})
        assert http_status(server.rest_port, "POST", "/v1/models/kind:predict", body) in (200, 400)


@bounded
@given(st.binary(max_size=200))
def test_bytes_of_all_kinds_get_an_answer(server, body):
    assert http_status(server.rest_port, "POST", "/v1/models/kind:predict", body) == 400


@bounded
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="#?"), max_size=40),
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS"]),
)
def test_paths_of_all_kinds_get_an_answer(server, path, method):
    assert http_status(server.rest_port, method, f"/v1/{path}", b"{}") in (400, 404)


@bounded
@given(st.binary(max_size=100))
def test_what_is_no_http_does_not_disturb(server, data):
    with socket.create_connection(("127.0.0.1", server.rest_port), timeout=10) as connection:
        connection.sendall(data)


@bounded
@given(
    st.sampled_from(SIGNATURES),
    st.dictionaries(st.sampled_from(["image_bytes", "alpha", "images", "x"]), tensors, max_size=3),
    st.lists(st.sampled_from(["relit", "boxes", "x", ""]), max_size=3),
)
def test_tensors_of_all_kinds_get_an_answer(server, signature, inputs, outputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = "kind", signature
    for name, proto in inputs.items():
        request.inputs[name].CopyFrom(proto)
    code = grpc_code(server, "Predict", request.SerializeToString())
    assert code in (None, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION)


@bounded
@given(
    st.sampled_from(["Predict", "Classify", "Regress", "MultiInference", "GetModelMetadata", "Nothing"]),
    st.binary(max_size=60),
)
def test_messages_of_all_kinds_get_an_answer(server, method, message):
    assert grpc_code(server, method, message) not in (None, grpc.StatusCode.DEADLINE_EXCEEDED)


def grpc_code(server, method, message):
    """Sends bytes as they are; None when they were answered with a result."""
    with grpc.insecure_channel(f"127.0.0.1:{server.grpc_port}") as channel:
        call = channel.unary_unary(f"/tensorflow.serving.PredictionService/{method}")
        try:
            call(message, timeout=30)
        except grpc.RpcError as error:
            return error.code()
    return None
