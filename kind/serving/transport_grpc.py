"""The client's side of TensorFlow Serving's gRPC services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from kind.serving.answers import status_of, wrong_answer
from kind.serving.errors import ServerError, echoed
from kind.serving.server.errors import ServingError
from kind.serving.server.tensor_protos import array_of


class GrpcTransport:
    """Speaks to one model."""

    def __init__(self, address: str, model: str, version: int | None, max_bytes: int) -> None:
        """See `Client`; raises ValueError when the address makes no sense."""
        if "://" in address or ":" not in address:
            raise ValueError(f"address expects host:port, received {address!r}")
        self._address, self._model, self._version = address, model, version
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", max_bytes)]
        self._channel = grpc.insecure_channel(address, options)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._models = model_service_pb2_grpc.ModelServiceStub(self._channel)

    def predict(
        self, signature: str, inputs: Mapping[str, Any], names: Sequence[str], seconds: float
    ) -> Mapping[str, Any]:
        """Runs a signature once; see `RestTransport.predict`. Arrays come back instead of lists."""
        request = predict_pb2.PredictRequest(output_filter=names)
        self._fill(request.model_spec)
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            dtype = tf.float32 if isinstance(value[0], float) else None
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value, dtype))
        response = self._call(self._predictions.Predict, request, seconds)
        try:
            return {name: array_of(name, response.outputs[name], "output") for name in response.outputs}
        except ServingError as error:
            raise wrong_answer(error.message) from error

    def status(self, seconds: float) -> dict[int, str]:
        """The state of each version by its number."""
        request = get_model_status_pb2.GetModelStatusRequest()
        self._fill(request.model_spec)
        response = self._call(self._models.GetModelStatus, request, seconds)
        names = get_model_status_pb2.ModelVersionStatus.State.items()
        states = {number: name for name, number in names}
        return status_of(
            [
                {"version": entry.version, "state": states.get(entry.state)}
                for entry in response.model_version_status
            ]
        )

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _fill(self, spec) -> None:
        spec.name = self._model
        if self._version is not None:
            spec.version.value = self._version

    def _call(self, method, request, seconds: float):
        try:
            return method(request, timeout=seconds)
        except grpc.RpcError as error:
            raise ServerError(
                f"server {self._address}: {echoed(str(error.details()))} ({error.code().name})",
                error.code().name,
            ) from error
