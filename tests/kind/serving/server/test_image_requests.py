"""`POST /v1/enhance`: plain image files in and out."""

import asyncio
import contextlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from kind.serving.limits import Limits
from kind.serving.protos import SignatureDef
from kind.serving.server import page_files
from kind.serving.server.bodies import parse_form
from kind.serving.server.calls import Call
from kind.serving.server.errors import ServingError
from kind.serving.server.image_requests import PARAMETERS, PATH, ImageRequests, read_wishes, signature_for
from kind.serving.server.signatures import Signature


def opened(data):
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def form(*parts):
    """(name, file name or None, content) of each part → body and content type."""
    body = b""
    for name, file, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
        body += b"--edge\r\nContent-Disposition: " + disposition.encode() + b"\r\n\r\n" + content + b"\r\n"
    return body + b"--edge--\r\n", "multipart/form-data; boundary=edge"


def test_plain_bytes_and_forms_are_answered_with_images(serve, images):
    rest = serve(limits=Limits(pixels=2000))
    answer = rest.ask("POST", f"{PATH}?alpha=3", body=images(6, 9, 40))
    assert answer.status == 200 and answer.headers["Content-Type"] == "image/png"
    assert np.mean(opened(answer.data)) == 120 and answer.headers["X-Kind-Alpha"] == "3"
    answer = rest.ask("POST", PATH, body=images(6, 9, 40))  # the model chooses
    assert np.mean(opened(answer.data)) == 80 and answer.headers["X-Kind-Alpha"] == "2"
    answer = rest.ask("POST", f"{PATH}?brightness=.5", body=images(6, 9, 40))
    assert np.mean(opened(answer.data)) == 128 and answer.headers["X-Kind-Alpha"] == "3.188"
    body, kind = form(
        ("image", "night.png", images(6, 9, 40)), ("alpha", None, b"3"), ("model", None, b"kind")
    )
    answer = rest.ask("POST", f"{PATH}?strength=.5&format=jpeg", body=body, headers={"Content-Type": kind})
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert np.mean(opened(answer.data)) == pytest.approx(80, abs=1)
    for path, body, status, text in (
        ("?alpha=-1", images(), 400, "alpha expects a number from 0 on; received -1"),
        ("?alpha=1&brightness=.5", images(), 400, "alpha and brightness both say how bright the result is"),
        ("?alhpa=1", images(), 400, "no such parameter: alhpa; expects alpha"),
        ("?model=other", images(), 400, "model expects kind; received other"),
        ("", b"", 400, "expects an image file"),
        ("", images(40, 51), 400, "2040 pixels in one request; the limit is 2000"),
        ("", images()[:-20], 400, ""),
    ):
        answer = rest.ask("POST", PATH + path, body=body)
        error = answer.json()["error"]
        assert answer.status == status and text in error and "assertion" not in error and "[0]" not in error
    assert rest.ask("GET", PATH).status == 400
    assert rest.ask("POST", PATH, body=b"x", headers={"Origin": "http://evil.example"}).status == 403
    metrics = rest.ask("GET", "/monitoring/prometheus/metrics").data.decode()
    assert 'request_count{model_name="kind",status="OK"} 4.0' in metrics


@pytest.mark.parametrize(
    ("query", "names", "expected"),
    [
        ({}, {"serving_default"}, ("serving_default", 1.0)),
        ({"strength": "0.5"}, {"serving_default"}, ("serving_default", 0.5)),
        ({"strength": "0.5"}, {"serving_default", "blend"}, ("blend", 1.0)),
        ({"strength": "0.5", "alpha": "2"}, {"enhance", "blend"}, ("enhance", 0.5)),
        ({"brightness": ".4", "strength": "0.5"}, {"enhance_to_brightness"}, ("enhance_to_brightness", 0.5)),
    ],
)
def test_the_cheapest_signature_is_run(query, names, expected):
    name, _, left = signature_for(b"", read_wishes(query), dict.fromkeys(names))
    assert (name, left) == expected
    with pytest.raises(ServingError, match="takes no alpha"):
        signature_for(b"", read_wishes({"alpha": "2"}), {})
    with pytest.raises(ServingError, match="takes no brightness: leave it out, or export the model anew"):
        signature_for(b"", read_wishes({"brightness": "0.5"}), {"enhance": None})


def test_a_model_that_gives_no_image_files_is_said_to_be_one():
    signatures = {"serving_default": Signature("serving_default", SignatureDef())}

    @contextlib.asynccontextmanager
    async def acquired(spec, call):
        yield SimpleNamespace(model=SimpleNamespace(signatures=signatures))

    requests = ImageRequests(SimpleNamespace(acquired=acquired))
    with pytest.raises(ServingError, match="gives no image file: 'serving_default' has no output") as caught:
        asyncio.run(requests._enhanced(b"x", read_wishes({}), Call(30.0)))
    assert caught.value.http_status == 400


@pytest.mark.parametrize(
    "query",
    [{"alpha": "nan"}, {"brightness": "1.5"}, {"strength": "1.1"}, {"format": "tiff"}, {"strip": "yes"}],
)
def test_parameters_out_of_range_are_named(query):
    (name,) = query
    with pytest.raises(ServingError, match=f"{name} expects .*received {query[name]}"):
        read_wishes(query)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "multipart/form-data"),
        (b"--edge--", "multipart/form-data; boundary=edge"),
        (form(("image", "a", b"x"))[0][:-8], "multipart/form-data; boundary=edge"),
        (b"--edge\r\nX: y\r\n\r\nz\r\n--edge--", "multipart/form-data; boundary=edge"),
        form(*[("image", "a", b"x")] * 33),
        (b"\r\n--" * 1_000_000, 'multipart/form-data; boundary="-"'),
        (b"--edge" + b"x" * 3_000_000 + b"\r\n--edg", "multipart/form-data; boundary=edge"),
    ],
)
def test_damaged_forms_are_refused(body, content_type):
    with pytest.raises(ServingError):
        parse_form(bytearray(body), content_type)


@pytest.mark.parametrize("size", [4, 4096, 1 << 20, (1 << 20) + 7])
def test_forms_are_read(size):
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    body, content_type = form(("image", "a;name.png", data), ("alpha", None, "ü".encode()))
    assert parse_form(bytearray(body), content_type.replace("edge", '"edge"')) == ([data], {"alpha": "ü"})


def test_the_description_names_every_parameter():
    text = (Path(page_files.__file__).parent / "page" / "openapi.json").read_text(encoding="utf-8")
    content = json.loads(text)
    parameters = content["paths"][PATH]["post"]["parameters"]
    assert tuple(each["name"] for each in parameters) == PARAMETERS
    assert content["openapi"].startswith("3.")
