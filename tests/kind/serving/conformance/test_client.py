"""Our client, with every server there is; see conftest.py."""

import io

import numpy as np
import pytest
from PIL import Image

from kind.serving.client import Client, ServerError


@pytest.fixture(params=["rest", "grpc"])
def client(request, server):
    with Client(getattr(server, request.param), request.param) as client:
        yield client


def photograph():
    pixels = np.random.default_rng(1).integers(0, 60, (6, 9, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_everything_that_it_offers(client, tmp_path):
    path = tmp_path / "night.png"
    path.write_bytes(photograph())
    parts = client.decompose(path)
    for data in (client.enhance(path), client.enhance(photograph(), alpha=2), *parts):
        assert Image.open(io.BytesIO(data)).size == (9, 6)
    assert "AVAILABLE" in client.status().values()


def test_detections(client):
    try:
        found = client.detect(photograph())
    except ServerError as error:
        pytest.skip(f"this model has no detector: {error}")
    relit, same = client.enhance_and_detect(photograph())
    assert Image.open(io.BytesIO(relit)).size == (9, 6)
    np.testing.assert_array_equal(found.boxes, same.boxes)
    assert found.boxes.shape == (len(found.scores), 4) and len(found.names) == len(found.classes)
    assert (found.scores > 0).all()


def test_refusals_are_not_tried_again(client):
    with pytest.raises(ServerError) as caught:
        client.enhance(b"not an image")
    assert caught.value.code == "INVALID_ARGUMENT"
