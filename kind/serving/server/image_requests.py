"""`POST /v1/enhance`: a photograph in, the relit photograph out, both as plain image files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from aiohttp import web

from kind.export.contract import IMAGE_BYTES
from kind.images.pixels import ImageError
from kind.images.reencoding import FORMATS, reencoded
from kind.serving.errors import echoed
from kind.serving.server.bodies import parse_form, read_body
from kind.serving.server.calls import Call
from kind.serving.server.errors import ServingError, bad_request
from kind.serving.server.parsing import ModelSpec
from kind.serving.server.service import Service
from kind.serving.server.signatures import DEFAULT_SIGNATURE, signature_named
from kind.serving.server.threads import OneAtATime

PATH = "/v1/enhance"

ALPHA, BRIGHTNESS, STRENGTH = "alpha", "brightness", "strength"
FORMAT, STRIP, MODEL, VARIANT = "format", "strip", "model", "variant"
PARAMETERS = (ALPHA, BRIGHTNESS, STRENGTH, FORMAT, STRIP, MODEL, VARIANT)
_TO_BRIGHTNESS = "enhance_to_brightness"
_RESULT = "enhanced_bytes"
_SHOWN_ALPHA = "X-Kind-Alpha"


class Wishes(NamedTuple):
    """What a request asks for besides the photograph.

    Attributes:
        alpha: how much brighter, 0 or more; None leaves it to the model.
        brightness: mean luma of the result, in [0, 1], in place of α; None leaves it to the model.
        strength: how much of the result, in [0, 1]; the rest is the photograph as it was.
        format: of the answer, a key of `FORMATS`.
        strip: whether the photograph's metadata are left out.
        model: its name, "" for the first one.
    """

    alpha: float | None = None
    brightness: float | None = None
    strength: float = 1.0
    format: str = "png"
    strip: bool = False
    model: str = ""


class ImageRequests:
    """Answers with images."""

    def __init__(self, service: Service) -> None:
        """Answers for this service; one image after another is encoded, since each takes much memory."""
        self._service = service
        self._encoding = OneAtATime()

    async def answer(self, request: web.BaseRequest, call: Call) -> web.Response:
        """Answers one request.

        Raises:
            ServingError: the answer is an error.
        """
        names = self._service.manager.names()
        wishes, given = read_wishes(request.query), dict(request.query)
        body = await read_body(request, self._service.limits, call)
        if request.content_type.startswith("multipart/"):
            form = await call.compute(len(body), parse_form, body, request.headers["Content-Type"])
            if len(form.files) != 1:
                raise bad_request(f"the form expects one file; received {len(form.files)}")
            (data,), wishes = form.files, read_wishes({**given, **form.fields})
        else:
            data = body
        del body
        if not data:
            raise bad_request("the body expects an image file: curl --data-binary @night.jpg")
        call.name = wishes.model or names[0]
        if call.name not in names:
            raise bad_request(f"model expects {' or '.join(names)}; received {echoed(call.name)}")
        return await self._enhanced(data, wishes, call)

    async def _enhanced(self, data: bytes, wishes: Wishes, call: Call) -> web.Response:
        async with self._service.acquired(ModelSpec(call.name), call) as version:
            signatures = version.model.signatures
            name, inputs, share = signature_for(data, wishes, signatures)
            signature = signature_named(signatures, name)
            if _RESULT not in signature.outputs:
                raise bad_request(f"this model gives no image file: {name!r} has no output {_RESULT!r}")
            try:
                outputs = await self._service.predict(version, signature, inputs, call)
            except ServingError as error:
                raise _of_one_image(error) from error
        relit, alpha = outputs[_RESULT][0], outputs.get(ALPHA, inputs.get(ALPHA))
        encoding = self._encoding.call(reencoded, relit, data, wishes.format, share, wishes.strip)
        try:
            body, media_type = await call.in_time(encoding)
        except ImageError as error:
            raise bad_request(str(error)) from error
        headers = {} if alpha is None else {_SHOWN_ALPHA: f"{alpha[0]:.4g}"}
        return web.Response(body=body, content_type=media_type, headers=headers)


def read_wishes(query: Mapping[str, str]) -> Wishes:
    """Reads the parameters of a request; ServingError for one that is unknown, out of range or too much."""
    unknown = sorted(set(query) - set(PARAMETERS))
    if unknown:
        raise bad_request(f"no such parameter: {echoed(unknown[0])}; expects {', '.join(PARAMETERS)}")
    wanted = query.get(FORMAT, "png").lower()
    if wanted not in FORMATS:
        raise bad_request(f"format expects {', '.join(FORMATS)}; received {echoed(wanted)}")
    strip = query.get(STRIP, "0")
    if strip not in ("0", "1"):
        raise bad_request(f"strip expects 0 or 1; received {echoed(strip)}")
    alpha = _number(query, ALPHA, np.finfo(np.float32).max) if ALPHA in query else None
    brightness = _number(query, BRIGHTNESS, 1.0) if BRIGHTNESS in query else None
    if alpha is not None and brightness is not None:
        raise bad_request("alpha and brightness both say how bright the result is; give one of them")
    strength = _number(query, STRENGTH, 1.0) if STRENGTH in query else 1.0
    return Wishes(
        alpha, brightness, strength, wanted, strip == "1", query.get(MODEL) or query.get(VARIANT) or ""
    )


def signature_for(
    data: bytes, wishes: Wishes, signatures: Mapping[str, object]
) -> tuple[str, dict[str, np.ndarray], float]:
    """Which signature gives what is wished for.

    Args:
        data: the photograph's file.
        wishes: of the request.
        signatures: those of the model, by name.

    Returns:
        Name, inputs, and the strength that its result still needs.

    Raises:
        ServingError: the model has no such signature.
    """
    inputs = {IMAGE_BYTES: np.array([data], object)}
    if wishes.alpha is not None:
        if "enhance" not in signatures:
            raise bad_request("this model takes no alpha: leave it out")
        return "enhance", {**inputs, ALPHA: np.float32([wishes.alpha])}, wishes.strength
    if wishes.brightness is not None:
        if _TO_BRIGHTNESS not in signatures:
            raise bad_request("this model takes no brightness: leave it out, or export the model anew")
        return _TO_BRIGHTNESS, {**inputs, BRIGHTNESS: np.float32([wishes.brightness])}, wishes.strength
    if wishes.strength < 1.0 and "blend" in signatures:
        return "blend", {**inputs, STRENGTH: np.float32([wishes.strength])}, 1.0
    return DEFAULT_SIGNATURE, inputs, wishes.strength


def _number(query: Mapping[str, str], name: str, most: float) -> float:
    try:
        value = float(query[name])
    except ValueError:
        value = float("nan")
    if not 0 <= value <= most:
        upto = f"to {most:g}" if most == 1.0 else "on"
        raise bad_request(f"{name} expects a number from 0 {upto}; received {echoed(query[name])}")
    return value


def _of_one_image(error: ServingError) -> ServingError:
    """The error without the position in a batch, of which this sender knows nothing."""
    return ServingError(error.code, error.message.replace(f"{IMAGE_BYTES}[0]: ", ""), error.http_status)
