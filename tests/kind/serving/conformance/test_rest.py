"""TensorFlow Serving's REST API, asked of every server there is; see conftest.py."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

PREDICT = "/v1/models/kind:predict"


def photograph(height=6, width=9, format="PNG"):
    pixels = np.random.default_rng(height * width).integers(0, 60, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format)
    return file.getvalue()


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def size_of(value):
    with Image.open(io.BytesIO(base64.b64decode(value["b64"]))) as image:
        assert image.format == "PNG"
        return image.size


def test_status(ask):
    for path in ("/v1/models/kind", "/v1/models/kind/versions/{}"):
        status, answer = ask("GET", path.format(newest(ask)))
        assert status == 200
        version = answer["model_version_status"][0]
        assert version["state"] == "AVAILABLE" and isinstance(version["version"], str)
        assert version["status"] == {"error_code": "OK", "error_message": ""}


def newest(ask):
    return ask("GET", "/v1/models/kind")[1]["model_version_status"][0]["version"]


def test_metadata(ask):
    status, answer = ask("GET", "/v1/models/kind/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "kind", "signature_name": "", "version": newest(ask)}
    signatures = answer["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "enhance", "decompose", "enhance_tensor"} <= set(signatures)
    alpha = signatures["enhance"]["inputs"]["alpha"]
    assert alpha["dtype"] == "DT_FLOAT"
    assert alpha["tensor_shape"] == {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert signatures["enhance"]["method_name"] == "tensorflow/serving/predict"


def test_a_single_output_has_no_name(ask):
    row = {"image_bytes": b64(photograph()), "alpha": 2}
    status, rows = ask("POST", PREDICT, {"signature_name": "enhance", "instances": [row]})
    assert status == 200 and set(rows) == {"predictions"}
    assert [size_of(value) for value in rows["predictions"]] == [(9, 6)]
    columns = {"signature_name": "enhance", "inputs": {"image_bytes": [b64(photograph())], "alpha": [2.0]}}
    status, answer = ask("POST", PREDICT, columns)
    assert status == 200 and answer == {"outputs": rows["predictions"]}


def test_several_outputs_have_names(ask):
    image = b64(photograph())
    status, answer = ask("POST", PREDICT, {"signature_name": "decompose", "instances": [image, image]})
    assert status == 200 and len(answer["predictions"]) == 2
    names = {"reflectance_bytes", "illumination_bytes"}
    assert all(set(row) == names for row in answer["predictions"])
    status, columns = ask("POST", PREDICT, {"signature_name": "decompose", "inputs": [image, image]})
    assert status == 200 and set(columns["outputs"]) == names
    assert columns["outputs"]["reflectance_bytes"][1] == answer["predictions"][1]["reflectance_bytes"]


def test_images_of_different_sizes_and_formats_share_a_request(ask):
    images = [photograph(5, 7), photograph(16, 8, "JPEG"), photograph(1, 1, "BMP")]
    status, answer = ask("POST", PREDICT, {"instances": [{"image_bytes": b64(image)} for image in images]})
    assert status == 200
    sizes = [size_of(row.get("enhanced_bytes", row)) for row in answer["predictions"]]
    assert sizes == [(7, 5), (8, 16), (1, 1)]


def test_boxes_have_the_same_rows(ask):
    status, answer = ask("POST", PREDICT, {"signature_name": "detect", "instances": [b64(photograph())]})
    if status == 400:
        pytest.skip("this model has no detector")
    (row,) = answer["predictions"]
    assert set(row) == {"boxes", "scores", "classes", "class_names", "number"}
    assert len(row["boxes"]) == len(row["scores"]) == len(row["classes"]) == len(row["class_names"])
    assert all(isinstance(name, str) for name in row["class_names"]) and row["number"] <= len(row["boxes"])


def test_numbers_come_and_go_as_nested_lists(ask):
    images = np.random.default_rng(0).random((2, 4, 6, 3)).astype(np.float32)
    inputs = {"images": images.tolist(), "alpha": [1.0, 3.0]}
    status, answer = ask("POST", PREDICT, {"signature_name": "enhance_tensor", "inputs": inputs})
    assert status == 200 and np.array(answer["outputs"]).shape == images.shape
    rows = [{"images": image.tolist(), "alpha": alpha} for image, alpha in zip(images, (1, 3))]
    status, same = ask("POST", PREDICT, {"signature_name": "enhance_tensor", "instances": rows})
    assert status == 200
    np.testing.assert_allclose(same["predictions"], answer["outputs"], atol=1e-6)


def test_a_version_can_be_named(ask):
    content = {"signature_name": "decompose", "instances": [b64(photograph())]}
    status, answer = ask("POST", f"/v1/models/kind/versions/{newest(ask)}:predict", content)
    assert status == 200 and answer == ask("POST", PREDICT, content)[1]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/v1/models/nobody", 404),
        ("GET", "/v1/models/nobody/metadata", 404),
        ("GET", "/v1/models/kind/versions/987654", 404),
        ("GET", "/v1/models", 400),
        ("GET", "/v1/models/kind:predict", 400),
        ("GET", "/v1/nothing", 400),
        ("GET", "/v1/models/kind/versions/99999999999999999999999", 400),
        ("POST", "/v1/models/kind", 400),
        ("POST", "/v1/models/kind:explain", 400),
        ("POST", "/v1/models/nobody:predict", 404),
        ("POST", "/v1/models/kind/versions/987654:predict", 404),
        ("POST", "/v1/models/kind:classify", 400),
        ("POST", "/v1/models/kind:regress", 400),
    ],
)
def test_what_is_not_there_is_said_in_json(ask, method, path, expected):
    content = {"instances": [b64(photograph())]} if "predict" in path else {"examples": [{"x": 1.0}]}
    status, answer = ask(method, path, content if method == "POST" else None)
    assert status == expected and set(answer) == {"error"} and isinstance(answer["error"], str)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"instances": []},
        {"instances": "x"},
        {"instances": [b64(b"x")], "inputs": [b64(b"x")]},
        {"signature_name": 3, "instances": [b64(b"x")]},
        {"signature_name": "nothing", "instances": [b64(b"x")]},
        {"instances": [{"b64": "*"}]},
        {"instances": [{"pixels": b64(b"x")}]},
        {"instances": [3]},
        {"signature_name": "enhance", "instances": [{"image_bytes": b64(b"x")}]},
        {"signature_name": "enhance", "instances": [{"image_bytes": b64(b"x"), "alpha": "bright"}]},
        {"signature_name": "enhance", "inputs": {"image_bytes": [b64(b"x")], "alpha": [[1.0], [2.0, 3.0]]}},
        {"signature_name": "enhance_tensor", "inputs": {"images": [[[[0.5]]]], "alpha": [1.0]}},
        {"signature_name": "enhance_tensor", "inputs": {"images": [0.5], "alpha": [1.0]}},
        {"instances": [b64(b"not an image")]},
        {"instances": [b64(photograph()[:40])]},
        {"instances": [b64(b"")]},
    ],
    ids=range(17),
)
def test_a_bad_request_is_the_senders(ask, content):
    status, answer = ask("POST", PREDICT, content)
    assert status == 400 and set(answer) == {"error"} and answer["error"]


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"\xff", b'{"instances": [', b"[" * 10_000])
def test_a_body_that_is_no_json_object(ask, body):
    status, answer = ask("POST", PREDICT, body=body)
    assert status == 400 and set(answer) == {"error"}
    assert ask("GET", "/v1/models/kind")[0] == 200
