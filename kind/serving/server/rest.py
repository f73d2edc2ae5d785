"""TensorFlow Serving's REST API, version 1."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import aiohttp
import numpy as np
from aiohttp import web
from google.protobuf.json_format import MessageToJson

from kind.serving.server.errors import ServingError, bad_request, wrong_method
from kind.serving.server.json_tensors import inputs_of, parse_body, response_of, signature_name
from kind.serving.server.loading import LoadedModel
from kind.serving.server.messages import signatures_message, status_message
from kind.serving.server.metrics import CONTENT_TYPE
from kind.serving.server.service import ModelSpec, Service
from kind.serving.server.signatures import UnknownSignature
from kind.serving.server.threads import call_in_thread_if_large

_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_RUN = re.compile(rf"/v1/models/(?P<name>[^/:]+){_WHICH}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_ASK = re.compile(rf"/v1/models(?:/(?P<name>[^/:]+))?{_WHICH}(?P<metadata>/metadata)?", re.IGNORECASE)
_LONGEST_VERSION = 18


class RestApi:
    """Handlers of the paths under `/v1/`, of the health check and of the metrics."""

    def __init__(self, service: Service) -> None:
        """Answers for this service."""
        self._service = service

    def add_routes(self, app: web.Application, metrics_path: str | None) -> None:
        """Adds the handlers; without a path there are no metrics."""
        app.router.add_route("*", "/v1/{rest:.*}", self._api)
        app.router.add_get("/healthz", self._health)
        if metrics_path:
            app.router.add_get(metrics_path, self._metrics)

    async def _api(self, request: web.Request) -> web.Response:
        run = _RUN.fullmatch(request.path)
        if request.method == "POST" and run:
            method = run["method"].lower()
            with self._service.counted(run["name"], method.capitalize(), "REST"):
                if method == "predict":
                    return await self._predict(_spec(run), request)
                with self._service.lease(_spec(run)) as lease:
                    raise wrong_method(lease.signature.method_name, method)
        ask = _ASK.fullmatch(request.path)
        if request.method == "GET" and ask:
            return self._metadata(_spec(ask)) if ask["metadata"] else self._status(_spec(ask))
        raise bad_request(f"Malformed request: {request.method} {request.path[:200]}")

    async def _predict(self, spec: ModelSpec, request: web.Request) -> web.Response:
        # The text goes as soon as its bytes are decoded: requests may wait for long, and many at a time.
        content, size = await self._content(request)
        with self._service.lease(spec._replace(signature=signature_name(content))) as lease:
            form, inputs = await call_in_thread_if_large(size, inputs_of, content, lease.signature)
            del content
            outputs = await self._service.predict(lease, inputs)
        text = await call_in_thread_if_large(_bytes_in(outputs), _json_response, outputs, form)
        return web.Response(text=text, content_type="application/json")

    async def _content(self, request: web.Request) -> tuple[dict[str, Any], int]:
        """The JSON object of a request, and the size of its text."""
        seconds = self._service.limits.seconds
        try:
            body = await asyncio.wait_for(self._body(request), seconds)
        except asyncio.TimeoutError:
            raise ServingError(
                "DEADLINE_EXCEEDED", f"the request did not arrive within {seconds:g} s"
            ) from None
        return await call_in_thread_if_large(len(body), parse_body, body), len(body)

    async def _body(self, request: web.Request) -> bytes:
        # Not `request.read()`, which keeps the body for as long as the request lives.
        body, limit = bytearray(), self._service.limits.request_bytes
        try:
            async for part in request.content.iter_any():
                body += part
                if len(body) > limit:
                    raise web.HTTPRequestEntityTooLarge(limit, len(body))
        except (aiohttp.ClientPayloadError, web.RequestPayloadError, ValueError) as error:
            raise bad_request(f"the body cannot be read: {error}") from error
        return bytes(body)

    def _status(self, spec: ModelSpec) -> web.Response:
        if not spec.name:
            raise bad_request("Missing model name in request.")
        message = status_message(self._service.manager.status(spec.name, spec.version, spec.label))
        return _json(_proto_json(message))

    def _metadata(self, spec: ModelSpec) -> web.Response:
        if not spec.name:
            raise bad_request("Missing model name in request.")
        version = self._service.manager.acquire(spec.name, spec.version, spec.label)
        try:
            model: LoadedModel = version.model
            signatures = json.loads(_proto_json(signatures_message(model.definitions)))
        finally:
            self._service.manager.release(version)
        model_spec = {"name": spec.name, "signature_name": "", "version": str(version.number)}
        return _json(json.dumps({"model_spec": model_spec, "metadata": {"signature_def": signatures}}))

    async def _health(self, request: web.Request) -> web.Response:
        ready = self._service.manager.is_ready() and not self._service.stopping
        text = json.dumps({"status": "SERVING" if ready else "NOT_SERVING"})
        return web.json_response(text=text, status=200 if ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=self._service.metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})


@web.middleware
async def errors_as_json(request: web.Request, handler) -> web.StreamResponse:
    """Answers errors with `{"error": …}`; a bug becomes 500, with a traceback on stderr."""
    try:
        return await handler(request)
    except UnknownSignature as error:
        return _error(error.message, 400)
    except ServingError as error:
        return _error(error.message, error.http_status)
    except web.HTTPRequestEntityTooLarge as error:
        return _error(error.text, 413)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return _error(f"{error.reason}: {request.method} {request.path[:200]}", error.status)
    except (asyncio.CancelledError, ConnectionError):
        raise
    except Exception:
        traceback.print_exc(file=sys.stderr)
        return _error("internal error; the server's log says more", 500)


def _error(message: str, status: int) -> web.Response:
    response = _json(json.dumps({"error": message}), status)
    if status == 503:
        response.headers["Retry-After"] = "1"
    return response


def _json(text: str, status: int = 200) -> web.Response:
    return web.json_response(text=text, status=status)


def _proto_json(message) -> str:
    return MessageToJson(message, preserving_proto_field_name=True, including_default_value_fields=True)


def _json_response(outputs, form: str) -> str:
    return json.dumps(response_of(outputs, form))


def _spec(match: re.Match) -> ModelSpec:
    version = match["version"]
    if version and len(version) > _LONGEST_VERSION:
        raise bad_request(f"Failed to convert version: {version[:40]} to numeric.")
    return ModelSpec(match["name"] or "", int(version) if version else None, match["label"])


def _bytes_in(arrays: Mapping[str, np.ndarray]) -> int:
    return sum(
        sum(map(len, array.ravel())) if array.dtype == object else array.nbytes for array in arrays.values()
    )
