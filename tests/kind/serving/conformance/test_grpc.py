"""TensorFlow Serving's gRPC services, asked of every server there is; see conftest.py."""

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework.tensor_pb2 import TensorProto
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

SECONDS = 60


@pytest.fixture
def predictions(channel):
    return prediction_service_pb2_grpc.PredictionServiceStub(channel)


@pytest.fixture
def models(channel):
    return model_service_pb2_grpc.ModelServiceStub(channel)


def png(height=6, width=9):
    pixels = np.random.default_rng(height * width).integers(0, 60, (height, width, 3), np.uint8)
    return tf.io.encode_png(pixels).numpy()


def request_for(signature, outputs=(), name="kind", **inputs):
    request = predict_pb2.PredictRequest(output_filter=outputs)
    request.model_spec.name, request.model_spec.signature_name = name, signature
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(value if isinstance(value, TensorProto) else proto(value))
    return request


def proto(value):
    array = np.asarray(value)
    return tf.make_tensor_proto(array.astype(np.float32) if array.dtype.kind == "f" else value)


def code_of(call, request):
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=SECONDS)
    assert caught.value.details()
    return caught.value.code()


def test_predict_names_what_answered(predictions):
    response = predictions.Predict(request_for("", image_bytes=[png()]), timeout=SECONDS)
    spec = response.model_spec
    assert (spec.name, spec.signature_name) == ("kind", "serving_default") and spec.version.value > 0
    image = tf.make_ndarray(response.outputs["enhanced_bytes"])
    assert image.shape == (1,) and tf.io.decode_png(image[0]).shape == (6, 9, 3)


def test_grpc_and_rest_say_the_same(predictions, ask):
    import base64

    request = request_for("enhance", image_bytes=[png(), png(4, 5)], alpha=[2.0, 3.0])
    response = predictions.Predict(request, timeout=SECONDS)
    images = [{"b64": base64.b64encode(image).decode()} for image in (png(), png(4, 5))]
    rows = [{"image_bytes": image, "alpha": alpha} for image, alpha in zip(images, (2, 3))]
    _, answer = ask("POST", "/v1/models/kind:predict", {"signature_name": "enhance", "instances": rows})
    decoded = [base64.b64decode(value["b64"]) for value in answer["predictions"]]
    assert tf.make_ndarray(response.outputs["enhanced_bytes"]).tolist() == decoded


def test_outputs_can_be_chosen(predictions):
    request = request_for("decompose", ["illumination_bytes"], image_bytes=[png()])
    assert set(predictions.Predict(request, timeout=SECONDS).outputs) == {"illumination_bytes"}
    request = request_for("decompose", ["shadow"], image_bytes=[png()])
    assert code_of(predictions.Predict, request) is grpc.StatusCode.INVALID_ARGUMENT


def test_tensors_keep_shape_and_type(predictions):
    images = np.random.default_rng(0).random((2, 5, 7, 3)).astype(np.float32)
    request = request_for("enhance_tensor", images=images, alpha=[1.0, 2.0])
    relit = tf.make_ndarray(predictions.Predict(request, timeout=SECONDS).outputs["relit"])
    assert relit.shape == images.shape and relit.dtype == np.float32 and np.isfinite(relit).all()


@pytest.mark.parametrize(
    ("signature", "inputs", "codes"),
    [
        ("nothing", {"image_bytes": [b""]}, "FAILED_PRECONDITION"),
        ("enhance", {"image_bytes": [b""]}, "INVALID_ARGUMENT"),
        ("enhance", {"image_bytes": [b""], "alpha": [1.0], "more": [1.0]}, "INVALID_ARGUMENT"),
        ("enhance", {"image_bytes": [b""], "alpha": [1]}, "INVALID_ARGUMENT"),
        ("enhance", {"image_bytes": [1.0], "alpha": [1.0]}, "INVALID_ARGUMENT"),
        ("enhance_tensor", {"images": [1.0], "alpha": [1.0]}, "INVALID_ARGUMENT"),
        ("", {"image_bytes": [b"not an image"]}, "INVALID_ARGUMENT"),
        ("", {"image_bytes": [png()[:40]]}, "INVALID_ARGUMENT"),
    ],
)
def test_a_bad_request_is_the_senders(predictions, signature, inputs, codes):
    assert code_of(predictions.Predict, request_for(signature, **inputs)).name == codes


def test_a_broken_tensor_is_the_senders(predictions):
    broken = tf.make_tensor_proto([1.0, 2.0])
    broken.tensor_content = b"123"
    request = request_for("enhance", image_bytes=[png()], alpha=broken)
    assert code_of(predictions.Predict, request) is grpc.StatusCode.INVALID_ARGUMENT


def test_unknown_models_and_versions(predictions, models):
    unknown = request_for("", name="nobody", image_bytes=[png()])
    assert code_of(predictions.Predict, unknown) is grpc.StatusCode.NOT_FOUND
    version = request_for("", image_bytes=[png()])
    version.model_spec.version.value = 987654
    assert code_of(predictions.Predict, version) is grpc.StatusCode.NOT_FOUND
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "nobody"
    assert code_of(models.GetModelStatus, status) is grpc.StatusCode.NOT_FOUND


def test_status(models):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "kind"
    entry = models.GetModelStatus(request, timeout=SECONDS).model_version_status[0]
    assert entry.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE and entry.status.error_code == 0


def test_metadata(predictions):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "kind"
    response = predictions.GetModelMetadata(request, timeout=SECONDS)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert "alpha" in signatures.signature_def["enhance"].inputs and response.model_spec.version.value > 0
    request.metadata_field[:] = ["weather"]
    assert code_of(predictions.GetModelMetadata, request) is grpc.StatusCode.INVALID_ARGUMENT


def test_a_model_that_predicts_does_not_classify(predictions):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "kind"
    request.input.example_list.examples.add()
    assert code_of(predictions.Classify, request) is grpc.StatusCode.INVALID_ARGUMENT
