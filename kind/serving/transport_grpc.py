"""The client's side of TensorFlow Serving's gRPC services; needs no TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from kind.serving.answers import status_of, wrong_answer
from kind.serving.errors import ServerError, echoed
from kind.serving.message_sizes import check_answer
from kind.serving.protos import get_model_status_pb2, predict_pb2
from kind.serving.server.errors import ServingError
from kind.serving.server.tensor_protos import array_of, proto_of

_PACKAGE = "/tensorflow.serving."
_LARGEST_STATUS = 1 << 20


class GrpcTransport:
    """Speaks to one model."""

    def __init__(self, address: str, model: str, version: int | None, max_bytes: int) -> None:
        """See `Client`; raises ValueError when the address makes no sense."""
        if "://" in address or ":" not in address:
            raise ValueError(f"address expects host:port, received {address!r}")
        self._address, self._spec = address, {"name": model}
        if version is not None:
            self._spec["version"] = {"value": version}
        options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", max_bytes)]
        self._channel = grpc.insecure_channel(address, options)
        # Answers come as bytes, which are looked at before they are unpacked.
        self._predict = self._channel.unary_unary(f"{_PACKAGE}PredictionService/Predict")
        self._status = self._channel.unary_unary(f"{_PACKAGE}ModelService/GetModelStatus")

    def predict(
        self, signature: str, inputs: Mapping[str, Any], names: Sequence[str], seconds: float
    ) -> Mapping[str, Any]:
        """Runs a signature once; see `RestTransport.predict`. Arrays come back instead of lists."""
        spec = {**self._spec, "signature_name": signature}
        request = predict_pb2.PredictRequest(model_spec=spec, output_filter=names)
        for name, value in inputs.items():
            array = np.empty(len(value), np.float32 if isinstance(value[0], float) else object)
            array[:] = value
            request.inputs[name].CopyFrom(proto_of(array))
        data = self._call(self._predict, request, seconds)
        try:
            check_answer(data)
            response = predict_pb2.PredictResponse.FromString(data)
            return {name: array_of(name, response.outputs[name], "output") for name in response.outputs}
        except ServingError as error:
            raise wrong_answer(error.message) from error
        except (ValueError, DecodeError) as error:
            raise wrong_answer(echoed(str(error))) from error

    def status(self, seconds: float) -> dict[int, str]:
        """The state of each version by its number."""
        request = get_model_status_pb2.GetModelStatusRequest(model_spec=self._spec)
        data = self._call(self._status, request, seconds)
        try:
            if len(data) > _LARGEST_STATUS:
                raise wrong_answer(f"a status of {len(data)} bytes")
            response = get_model_status_pb2.GetModelStatusResponse.FromString(data)
        except DecodeError as error:
            raise wrong_answer("not the status of a model") from error
        states = {number: name for name, number in get_model_status_pb2.ModelVersionStatus.State.items()}
        found = response.model_version_status
        return status_of([{"version": each.version, "state": states.get(each.state)} for each in found])

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _call(self, method, request, seconds: float) -> bytes:
        try:
            return method(request.SerializeToString(), timeout=seconds)
        except grpc.RpcError as error:
            raise ServerError(
                f"server {self._address}: {echoed(str(error.details()))} ({error.code().name})",
                error.code().name,
            ) from error
