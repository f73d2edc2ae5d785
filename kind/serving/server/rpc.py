"""TensorFlow Serving's gRPC services, with the public stubs."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc
import numpy as np

from kind.serving.errors import echoed
from kind.serving.protos import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)
from kind.serving.server.calls import Call, Calls, sender_of
from kind.serving.server.errors import ServingError, bad_request, words_of
from kind.serving.server.messages import configs_of, status_message
from kind.serving.server.parsing import parsed, spec_of
from kind.serving.server.service import Service
from kind.serving.server.signatures import signature_named
from kind.serving.server.tensor_protos import proto_of
from kind.serving.server.threads import OneAtATime, bytes_in
from kind.serving.server.versions import Version

_METADATA_FIELD = "signature_def"
_LARGEST = 1 << 16  # bytes of a message without inputs

Answer = Callable[[bytes, Call], Awaitable]


class PredictionService:
    """All methods but MultiInference, which gRPC itself answers with UNIMPLEMENTED."""

    def __init__(self, service: Service) -> None:
        """Answers for this service."""
        self._service = service

    async def Predict(self, data: bytes, call: Call):  # noqa: N802
        """Runs a signature; see `predict.proto`."""
        request = await self._service.parser.read_message(data, call)
        del data
        call.name = request.spec.name
        async with self._service.acquired(request.spec, call) as version:
            signature = signature_named(version.model.signatures, request.spec.signature)
            names = request.wanted or list(signature.outputs)
            unknown = sorted(set(names) - set(signature.outputs))
            if unknown or len(set(names)) != len(names):
                shown = echoed(", ".join(unknown or names))
                raise bad_request(f"output_filter expects outputs of the signature, each once: {shown}")
            outputs = await self._service.predict(version, signature, request.inputs, call)
            response = predict_pb2.PredictResponse(model_spec=_spec(version, signature.name))
            wanted = {name: outputs[name] for name in names}
            return await call.compute(bytes_in(wanted), _filled, response, wanted)

    async def GetModelMetadata(self, data: bytes, call: Call):  # noqa: N802
        """Names the signatures; see `get_model_metadata.proto`."""
        request = _small(get_model_metadata_pb2.GetModelMetadataRequest, data)
        fields = list(request.metadata_field)
        if not fields or set(fields) != {_METADATA_FIELD}:
            raise bad_request(
                f"metadata_field expects {_METADATA_FIELD!r}, received {echoed(', '.join(fields))}"
            )
        async with self._service.acquired(spec_of(request.model_spec), call) as version:
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=version.model.definitions)
            response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=_spec(version))
            response.metadata[_METADATA_FIELD].Pack(signatures)
            return response

    async def Classify(self, data: bytes, call: Call):  # noqa: N802
        """Always an error, see `Service.refuse`."""
        request = _small(classification_pb2.ClassificationRequest, data)
        await self._service.refuse(spec_of(request.model_spec), "classify", call)

    async def Regress(self, data: bytes, call: Call):  # noqa: N802
        """Always an error, like `Classify`."""
        request = _small(regression_pb2.RegressionRequest, data)
        await self._service.refuse(spec_of(request.model_spec), "regress", call)


class ModelService:
    """The state of models, and which are served."""

    def __init__(self, service: Service, roots: Sequence[Path] | None) -> None:
        """Answers for this service; versions may be chosen from `roots`, see `configs_of`."""
        self._service, self._roots = service, roots
        self._reloads = OneAtATime()

    async def GetModelStatus(self, data: bytes, call: Call):  # noqa: N802
        """Names the versions with their states; see `get_model_status.proto`."""
        spec = spec_of(_small(get_model_status_pb2.GetModelStatusRequest, data).model_spec)
        if not spec.name:
            raise bad_request("Missing model name in request.")
        return status_message(self._service.manager.status(spec.name, spec.version, spec.label))

    async def HandleReloadConfigRequest(self, data: bytes, call: Call):  # noqa: N802
        """Serves other models, versions or labels; answers when they are loaded."""
        request = _small(model_management_pb2.ReloadConfigRequest, data)
        configs = configs_of(request.config, self._roots)
        await call.in_time(self._reloads.call(self._service.manager.reconfigure, configs), "not loaded")
        return model_management_pb2.ReloadConfigResponse()


def add_services(server: grpc.aio.Server, service: Service, roots: Sequence[Path] | None) -> None:
    """Registers both services.

    Their methods take the bytes of a message: some megabytes can stand for a gigabyte of fields, and would be
    read where everybody waits.
    """
    for answering in (PredictionService(service), ModelService(service, roots)):
        methods = {
            name: handler_of(getattr(answering, name), service.calls, name if name == "Predict" else "")
            for name in dir(answering)
            if not name.startswith("_")
        }
        kind = f"tensorflow.serving.{type(answering).__name__}"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(kind, methods),))


def handler_of(answer: Answer, calls: Calls, counted_as: str = "") -> grpc.RpcMethodHandler:
    """A method that takes one message and gives one, counted and timed from its header on.

    gRPC itself limits connections, but not those of one address, and waits for the rest of a message without
    end. So the method is registered as if it took a stream of messages, of which it reads the first: then it
    is called when the header of a call is there, and not when its message is; of one that is not read yet,
    gRPC takes 64 KiB at most. It is also registered as if it gave a stream: then it sends its answer itself,
    and its call is counted until the answer is taken. Only the end of the connection stops gRPC from sending.

    Args:
        answer: from the bytes of the message and the call to the answer, a message or its bytes. Its
            exceptions become a status; a bug becomes INTERNAL and is traced on stderr.
        calls: among which its calls are counted.
        counted_as: see `Calls.open`.
    """

    async def answered(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext):
        sender, seconds = sender_of(address_of(context.peer())), context.time_remaining()
        try:
            with calls.open(sender, "GRPC", counted_as, seconds=seconds) as call:
                call.port = port_of(context.peer())
                message = await answer(await _received(context, call, calls), call)
                message = message if isinstance(message, bytes) else message.SerializeToString()
                return await call.send(context.write, message)
        except (ServingError, MemoryError) as error:
            code, message, _ = words_of(error)
        except Exception:
            traceback.print_exc()
            code, message = "INTERNAL", "internal error; the server's log says more"
        # An abort stays in memory, with all that it interrupts, until a garbage collection: no message.
        await context.abort(grpc.StatusCode[code], message)

    return grpc.stream_stream_rpc_method_handler(answered)


async def _received(context: grpc.aio.ServicerContext, call: Call, calls: Calls) -> bytes:
    # Not from gRPC's iterator of messages, which keeps itself and the last one until a garbage collection.
    async with calls.arriving(call):
        message = await call.in_time(context.read(), "the message did not arrive")
    if message is grpc.aio.EOF:
        raise bad_request("expected a message, received none")
    call.hold(len(message))
    call.is_arriving = False
    return message


def address_of(peer: str) -> str:
    """The sender's address as the HTTP port has it: "::1" of "ipv6:%5B::1%5D:4242"; a socket's file."""
    kind, _, rest = peer.partition(":")
    return unquote(rest.rpartition(":")[0]).strip("[]") if kind in ("ipv4", "ipv6") else peer


def port_of(peer: str) -> int:
    """The sender's port; 0 where it has none."""
    number = peer.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0


def _small(kind: type, data: bytes):
    """Reads a message that has no reason to be large."""
    if len(data) > _LARGEST:
        raise ServingError("RESOURCE_EXHAUSTED", f"such a request has at most {_LARGEST} bytes")
    return parsed(kind, data)


def _filled(response: predict_pb2.PredictResponse, outputs: Mapping[str, np.ndarray]) -> bytes:
    for name, array in outputs.items():
        response.outputs[name].CopyFrom(proto_of(array))
    return response.SerializeToString()


def _spec(version: Version, signature: str = "") -> dict[str, Any]:
    return {"name": version.name, "version": {"value": version.number}, "signature_name": signature}
