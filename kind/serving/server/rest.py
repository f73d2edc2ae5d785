"""TensorFlow Serving's REST API, version 1."""

from __future__ import annotations

import re

from aiohttp import web
from google.protobuf.json_format import MessageToDict, MessageToJson
from prometheus_client import CONTENT_TYPE_LATEST

from kind.serving.errors import echoed
from kind.serving.protos import get_model_metadata_pb2
from kind.serving.server.bodies import read_body
from kind.serving.server.calls import Call
from kind.serving.server.errors import bad_request
from kind.serving.server.front import Handler
from kind.serving.server.image_requests import PATH, ImageRequests
from kind.serving.server.json_tensors import json_answer
from kind.serving.server.messages import status_message
from kind.serving.server.parsing import ModelSpec
from kind.serving.server.service import Service
from kind.serving.server.threads import bytes_in

_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_RUN = re.compile(rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_ASK = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?P<metadata>/metadata)?", re.IGNORECASE)
_LONGEST_VERSION = 18
_AS_TEXT = 16  # times as long as reading their bytes takes writing numbers as text
_ALL_FIELDS = {"preserving_proto_field_name": True, "including_default_value_fields": True}


class RestApi:
    """Handlers of the paths under `/v1/`, of the health check and of the metrics."""

    def __init__(self, service: Service) -> None:
        """Answers for this service."""
        self._service = service
        self._images = ImageRequests(service)

    def pages(self, metrics_path: str | None) -> dict[str, Handler]:
        """The health check and the metrics by path; without a path there are no metrics."""
        pages: dict[str, Handler] = {"/healthz": self._health}
        return {**pages, metrics_path: self._metrics} if metrics_path else pages

    async def answer(self, request: web.BaseRequest) -> web.Response:
        """Answers a request for a path that begins with /v1/.

        Raises:
            ServingError: the answer is an error.
        """
        calls, sender = self._service.calls, request.protocol.sender
        run, ask = _RUN.fullmatch(request.path), _ASK.fullmatch(request.path)
        if request.method == "POST" and request.path == PATH:
            with calls.open(sender, "REST", "Enhance") as call:
                return await self._images.answer(request, call)
        if request.method == "POST" and run:
            method = run["method"].lower()
            with calls.open(sender, "REST", method.capitalize(), run["name"]) as call:
                if method == "predict":
                    return await self._predict(_spec(run), request, call)
                await self._service.refuse(_spec(run), method, call)
        if request.method == "GET" and ask:
            spec = _spec(ask)
            if not spec.name:
                raise bad_request("Missing model name in request.")
            if not ask["metadata"]:
                message = status_message(self._service.manager.status(spec.name, spec.version, spec.label))
                return web.json_response(text=MessageToJson(message, **_ALL_FIELDS))
            with calls.open(sender, "REST") as call:
                return await self._metadata(spec, call)
        raise bad_request(f"Malformed request: {request.method} {echoed(request.path)}")

    async def _predict(self, spec: ModelSpec, request: web.BaseRequest, call: Call) -> web.Response:
        # The text goes as soon as its bytes are decoded: requests may wait for long, and many at a time.
        body = await read_body(request, self._service.limits, call)
        async with self._service.acquired(spec, call) as version:
            signatures = version.model.signatures
            name, form, inputs = await self._service.parser.read(body, signatures, call)
            del body
            outputs = await self._service.predict(version, signatures[name], inputs, call)
        size = _AS_TEXT * bytes_in(outputs)
        answer = await call.compute(size, json_answer, outputs, form)
        return web.Response(body=answer, content_type="application/json", charset="utf-8")

    async def _metadata(self, spec: ModelSpec, call: Call) -> web.Response:
        async with self._service.acquired(spec, call) as version:
            message = get_model_metadata_pb2.SignatureDefMap(signature_def=version.model.definitions)
            signatures = MessageToDict(message, **_ALL_FIELDS)
        model_spec = {"name": spec.name, "signature_name": "", "version": str(version.number)}
        return web.json_response({"model_spec": model_spec, "metadata": {"signature_def": signatures}})

    async def _health(self, request: web.BaseRequest) -> web.Response:
        ready = self._service.manager.is_ready() and not self._service.stopping
        return web.json_response(
            {"status": "SERVING" if ready else "NOT_SERVING"}, status=200 if ready else 503
        )

    async def _metrics(self, request: web.BaseRequest) -> web.Response:
        headers = {"Content-Type": CONTENT_TYPE_LATEST}
        return web.Response(body=self._service.metrics.exposition(), headers=headers)


def _spec(match: re.Match) -> ModelSpec:
    version = match["version"]
    if version and len(version) > _LONGEST_VERSION:
        raise bad_request(f"Failed to convert version: {echoed(version)} to numeric.")
    return ModelSpec(match["name"] or "", int(version) if version else None, match["label"])
