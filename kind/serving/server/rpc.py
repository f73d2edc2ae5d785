"""TensorFlow Serving's gRPC services, with the public stubs."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

import grpc
import numpy as np
from google.protobuf.message import Message

from kind.serving.errors import echoed
from kind.serving.protos import (
    get_model_metadata_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from kind.serving.server.errors import NUMBERS, ServingError, bad_request, wrong_method
from kind.serving.server.messages import configs_of, signatures_message, status_message
from kind.serving.server.service import ModelSpec, Service
from kind.serving.server.signatures import check_rows
from kind.serving.server.tensor_protos import array_of, proto_of
from kind.serving.server.threads import bytes_in, call_in_thread_if_large

_METADATA_FIELD = "signature_def"


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the rest answers as the real server does to a model that predicts."""

    def __init__(self, service: Service) -> None:
        """Answers for this service."""
        self._service = service

    async def Predict(self, request, context):  # noqa: N802
        """Runs a signature; see `predict.proto`."""
        async with _answering(context):
            with self._service.counted(request.model_spec.name, "Predict", "GRPC"):
                return await self._predict(request, context.time_remaining())

    async def _predict(self, request, seconds: float | None):
        async with self._service.lease(_spec(request.model_spec)) as lease:
            names = list(request.output_filter) or list(lease.signature.outputs)
            unknown = sorted(set(names) - set(lease.signature.outputs))
            if unknown or len(set(names)) != len(names):
                shown = echoed(", ".join(unknown or names))
                raise bad_request(f"output_filter expects outputs of the signature, each once: {shown}")
            check_rows(_declared_rows(request), self._service.limits.rows)
            inputs = await call_in_thread_if_large(request.ByteSize(), _arrays_of, request)
            outputs = await self._service.predict(lease, inputs, seconds)
            response = predict_pb2.PredictResponse()
            _answer_spec(response.model_spec, lease.version, lease.signature.name)
            wanted = {name: outputs[name] for name in names}
            await call_in_thread_if_large(bytes_in(wanted), _fill, response, wanted)
            return response

    async def GetModelMetadata(self, request, context):  # noqa: N802
        """Names the signatures; see `get_model_metadata.proto`."""
        async with _answering(context):
            fields = list(request.metadata_field)
            if not fields or set(fields) != {_METADATA_FIELD}:
                raise bad_request(
                    f"metadata_field expects {_METADATA_FIELD!r}, received {echoed(', '.join(fields))}"
                )
            async with self._service.acquired(_spec(request.model_spec)) as version:
                response = get_model_metadata_pb2.GetModelMetadataResponse()
                _answer_spec(response.model_spec, version, "")
                response.metadata[_METADATA_FIELD].Pack(signatures_message(version.model.definitions))
                return response

    async def Classify(self, request, context):  # noqa: N802
        """Always an error: no signature of an image model classifies `tf.Example`s."""
        await self._refuse(request, context, "classify")

    async def Regress(self, request, context):  # noqa: N802
        """Always an error, like `Classify`."""
        await self._refuse(request, context, "regress")

    async def MultiInference(self, request, context):  # noqa: N802
        """Always an error: it stands for several of the two above."""
        async with _answering(context):
            raise ServingError("UNIMPLEMENTED", "the embedded server has no MultiInference")

    async def _refuse(self, request, context, method: str) -> None:
        async with _answering(context):
            async with self._service.lease(_spec(request.model_spec)) as lease:
                raise wrong_method(lease.signature.method_name, method)


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """The state of models, and which are served."""

    def __init__(self, service: Service, roots: Sequence[Path] | None) -> None:
        """Answers for this service; versions may be chosen from `roots`, see `configs_of`."""
        self._service, self._roots = service, roots

    async def GetModelStatus(self, request, context):  # noqa: N802
        """Names the versions with their states; see `get_model_status.proto`."""
        async with _answering(context):
            spec = _spec(request.model_spec)
            if not spec.name:
                raise bad_request("Missing model name in request.")
            return status_message(self._service.manager.status(spec.name, spec.version, spec.label))

    async def HandleReloadConfigRequest(self, request, context):  # noqa: N802
        """Serves other models, versions or labels; answers when they are loaded."""
        async with _answering(context):
            configs = configs_of(request.config, self._roots)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._service.manager.reconfigure, configs)
            return model_management_pb2.ReloadConfigResponse()


def add_services(server: grpc.aio.Server, service: Service, roots: Sequence[Path] | None) -> None:
    """Registers both services."""
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(service), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(service, roots), server)


@contextlib.asynccontextmanager
async def _answering(context):
    """Turns exceptions in the block into a gRPC status; a bug becomes INTERNAL and is traced on stderr."""
    try:
        yield
        return
    except ServingError as error:
        code, message = error.code, error.message
    except Exception:
        traceback.print_exc(file=sys.stderr)
        code, message = "INTERNAL", "internal error; the server's log says more"
    await context.abort(_STATUS[code], message)


_STATUS = {
    name: next(code for code in grpc.StatusCode if code.value[0] == number)
    for name, number in NUMBERS.items()
}


def _spec(message) -> ModelSpec:
    choice = message.WhichOneof("version_choice")
    return ModelSpec(
        message.name,
        message.version.value if choice == "version" else None,
        message.version_label if choice == "version_label" else None,
        message.signature_name,
    )


def _declared_rows(request) -> int:
    """The largest batch size that an input declares, whatever it holds."""
    shapes = [proto.tensor_shape.dim for proto in request.inputs.values()]
    return max((shape[0].size for shape in shapes if shape), default=0)


def _arrays_of(request) -> dict[str, np.ndarray]:
    return {name: array_of(name, proto) for name, proto in request.inputs.items()}


def _fill(response: predict_pb2.PredictResponse, outputs: Mapping[str, np.ndarray]) -> None:
    for name, array in outputs.items():
        response.outputs[name].CopyFrom(proto_of(array))


def _answer_spec(message: Message, version, signature: str) -> None:
    message.name, message.signature_name = version.name, signature
    message.version.value = version.number
