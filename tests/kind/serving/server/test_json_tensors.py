"""REST's JSON becomes arrays and back, or one line says why not."""

import base64
import json
import tracemalloc

import numpy as np
import pytest

from kind.serving.server.errors import ServingError
from kind.serving.server.json_tensors import inputs_of, json_answer, parse_body, signature_name
from kind.serving.server.signatures import Tensor


def inputs_named(**types):
    """The inputs of a signature."""
    return {name: Tensor(dtype, None) for name, dtype in types.items()}


ONE_TEXT, ONE_FLOAT = inputs_named(image_bytes="string"), inputs_named(x="float32")
TWO = inputs_named(image_bytes="string", alpha="float32")


def b64(data):
    return {"b64": base64.b64encode(data).decode()}


def response_of(outputs, form):
    return json.loads(json_answer(outputs, form))


def read(content, signature):
    return inputs_of(parse_body(json.dumps(content).encode()), signature)


def test_rows_of_one_input_need_no_name():
    form, inputs = read({"instances": [b64(b"\x00\xff"), "text", b64(b"")]}, ONE_TEXT)
    assert form == "instances" and inputs["image_bytes"].tolist() == [b"\x00\xff", b"text", b""]
    _, named = read({"instances": [{"image_bytes": b64(b"1")}]}, ONE_TEXT)
    assert named["image_bytes"].tolist() == [b"1"] and named["image_bytes"].dtype == object


def test_columns_and_rows_say_the_same():
    rows = {"instances": [{"image_bytes": b64(b"1"), "alpha": 2}, {"image_bytes": b64(b"2"), "alpha": 0.5}]}
    columns = {"inputs": {"image_bytes": [b64(b"1"), b64(b"2")], "alpha": [2, 0.5]}}
    for content in (rows, columns):
        _, inputs = read(content, TWO)
        assert inputs["image_bytes"].tolist() == [b"1", b"2"]
        assert inputs["alpha"].dtype == np.float32 and inputs["alpha"].tolist() == [2, 0.5]


def test_one_column_needs_no_name_and_keeps_its_shape():
    form, inputs = read({"inputs": [[[1, 2.5]], [[-3, 4]]]}, ONE_FLOAT)
    assert form == "inputs" and inputs["x"].shape == (2, 1, 2) and inputs["x"][0, 0, 1] == 2.5
    assert read({"inputs": 3}, ONE_FLOAT)[1]["x"].shape == ()
    assert read({"inputs": b64(b"x")}, ONE_TEXT)[1]["image_bytes"].shape == ()


@pytest.mark.parametrize("text", ["AP8=", "AP8", " AP8=\n"])
def test_base64_may_lack_its_padding(text):
    assert read({"instances": [{"b64": text}]}, ONE_TEXT)[1]["image_bytes"].tolist() == [b"\x00\xff"]


def test_numbers_become_the_signatures_type():
    _, inputs = read({"inputs": [0, 255]}, inputs_named(x="uint8"))
    assert inputs["x"].dtype == np.uint8
    _, inputs = read({"inputs": [True, False]}, inputs_named(x="bool"))
    assert inputs["x"].tolist() == [True, False]
    _, inputs = inputs_of(parse_body(b'{"inputs": [1e30, -1e-50]}'), ONE_FLOAT)
    assert inputs["x"].tolist() == [np.float32(1e30), 0]


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_what_is_no_number_of_json_is_refused(number):
    with pytest.raises(ServingError, match="JSON Parse error"):
        parse_body(b'{"inputs": [' + number + b"]}")


def test_answers_are_written_as_json_dumps_does():
    images = np.random.default_rng(0).random((2, 3, 4, 3), np.float32)
    both = {"images": images, "n": np.array([1, 2]), "ä": np.array([[b'"', b"x"]] * 2, object)}
    names = [['"', "x"]] * 2
    columns = {"outputs": {"images": images.tolist(), "n": [1, 2], "ä": names}}
    assert json_answer(both, "inputs") == json.dumps(columns).encode()
    rows = [{"images": images[i].tolist(), "n": i + 1, "ä": names[i]} for i in (0, 1)]
    assert json_answer(both, "instances") == json.dumps({"predictions": rows}).encode()
    assert json_answer({"x": images}, "inputs") == json.dumps({"outputs": images.tolist()}).encode()


def test_nested_numbers_become_what_numpy_makes_of_them():
    for value in (np.arange(24).reshape(2, 3, 4).tolist(), [[[1, 2]], [[2.5, 3]]], [[[]]], [[[[1]]]]):
        _, inputs = read({"inputs": value}, ONE_FLOAT)
        assert inputs["x"].tolist() == np.array(value, np.float32).tolist()


def test_rows_are_counted_before_they_are_looked_at():
    for content in ({"instances": ["a"] * 5000}, {"inputs": ["a"] * 5000}, {"inputs": [1] * 5000}):
        signature = ONE_FLOAT if content == {"inputs": [1] * 5000} else ONE_TEXT
        with pytest.raises(ServingError, match="5000 rows in one request; the limit is 4096"):
            read(content, signature)


def test_answers_are_always_json():
    for value in (np.nan, np.inf):
        with pytest.raises(ServingError, match="holds NaN or infinity: use gRPC"):
            response_of({"x": np.array([1, value], np.float32)}, "outputs")


@pytest.mark.parametrize("unit", [b"[],", b"{},", b'"",', b"0,", b"[ ],"])
def test_floods_of_values_are_refused_before_they_are_read(monkeypatch, unit):
    def read_nothing(*_, **__):
        raise AssertionError("the text was read")

    monkeypatch.setattr(json, "loads", read_nothing)
    with pytest.raises(ServingError, match="more than .*: send image files, or gRPC"):
        parse_body(b'{"instances": [' + unit * ((28 << 20) // len(unit)) + b"[]]}")


def test_an_image_of_full_hd_may_be_sent_as_numbers(monkeypatch):
    monkeypatch.setattr(json, "loads", lambda *_, **__: {})
    row = b"[" + b"[0,0,0]," * 1919 + b"[0,0,0]],"
    assert parse_body(b'{"instances": [[' + row * 1080 + b"[]]]}") == {}


@pytest.mark.parametrize(
    ("content", "signature", "message"),
    [
        ({}, ONE_TEXT, "exactly one of the keys"),
        ({"instances": [], "inputs": []}, ONE_TEXT, "exactly one of the keys"),
        ({"instances": []}, ONE_TEXT, "at least one instance"),
        ({"instances": {"b64": ""}}, ONE_TEXT, "expects a list"),
        ({"instances": ["a"]}, TWO, "expects objects with the inputs alpha, image_bytes"),
        ({"instances": [{"image_bytes": "a"}]}, TWO, "Missing named input: alpha"),
        (
            {"instances": [{"image_bytes": "a", "x": 1}]},
            ONE_TEXT,
            "does not have named input: x; expects image_bytes",
        ),
        ({"instances": [{"image_bytes": "a"}, {"x": 1}]}, ONE_TEXT, "all have the same inputs"),
        ({"instances": [{"image_bytes": "a"}, "a"]}, ONE_TEXT, "all have the same inputs"),
        ({"inputs": {"x": [1], "y": [2]}}, ONE_FLOAT, "does not have named input: y"),
        ({"inputs": [1, 2]}, TWO, "expects an object"),
        ({"inputs": [[1, 2], [3]]}, ONE_FLOAT, "not a tensor of float32"),
        ({"inputs": [[1, 2], 3]}, ONE_FLOAT, "not a tensor of float32"),
        ({"inputs": ["1"]}, ONE_FLOAT, "expects float32, received text"),
        ({"inputs": [None]}, ONE_FLOAT, "expects float32, received something else"),
        ({"inputs": [True]}, ONE_FLOAT, "expects float32, received bool"),
        ({"inputs": [b64(b"1")]}, ONE_FLOAT, "expects float32"),
        ({"inputs": [1e39]}, ONE_FLOAT, "out of float32's range"),
        ({"inputs": [10**19]}, inputs_named(x="int32"), "out of int32's range"),
        ({"inputs": [1.5]}, inputs_named(x="int32"), "expects int32, received decimals"),
        ({"inputs": [-1]}, inputs_named(x="uint8"), "out of uint8's range"),
        ({"inputs": [1]}, inputs_named(x="complex64"), "cannot be sent as JSON"),
        ({"inputs": [3]}, ONE_TEXT, "expects text or"),
        ({"inputs": [{"b64": 3}]}, ONE_TEXT, "expects text or"),
        ({"inputs": [{"b64": "*"}]}, ONE_TEXT, "Unable to base64 decode"),
        ({"inputs": [{"b64": "-_8="}]}, ONE_TEXT, "Unable to base64 decode"),
        ({"inputs": ["a", ["b"]]}, ONE_TEXT, "different sizes"),
        ({"inputs": ["\ud800"]}, ONE_TEXT, "not a tensor of string"),
    ],
)
def test_what_does_not_fit_is_one_line(content, signature, message):
    with pytest.raises(ServingError) as caught:
        read(content, signature)
    assert message in caught.value.message and "\n" not in caught.value.message
    assert caught.value.code in ("INVALID_ARGUMENT", "UNIMPLEMENTED")


def test_text_among_numbers_takes_no_more_memory_than_it_has():
    value = [["a" * 10_000, *[""] * 10_000]]  # in an array of text 381 MiB
    tracemalloc.start()
    try:
        with pytest.raises(ServingError, match="expects float32, received text"):
            read({"inputs": value}, ONE_FLOAT)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [b"", b"hello", b"[1]", b"3", b'"x"', b"null", b"\xff\xfe", b'{"a": 1', b"[" * 90_000, b'{"a":' * 90_000],
)
def test_what_is_no_json_object_is_said(body):
    with pytest.raises(ServingError, match="JSON"):
        parse_body(body)


def test_a_number_of_a_million_digits_is_refused_at_once():
    with pytest.raises(ServingError, match="JSON Parse error: integer of 1000000 digits"):
        parse_body(b'{"inputs": ' + b"9" * 1_000_000 + b"}")


def test_the_signature_is_named_by_text():
    assert signature_name({}) == "" and signature_name({"signature_name": "x"}) == "x"
    with pytest.raises(ServingError, match="must be a string"):
        signature_name({"signature_name": 3})


def text_array(*values):
    array = np.empty(len(values), object)
    array[:] = values
    return array


def test_answers_take_the_form_of_the_request():
    image, number = text_array(b"\xff", b"2"), np.array([1, 2], np.int32)
    one, both = {"a_bytes": image}, {"a_bytes": image, "n": number}
    assert response_of(one, "instances") == {"predictions": [b64(b"\xff"), b64(b"2")]}
    assert response_of(one, "inputs") == {"outputs": [b64(b"\xff"), b64(b"2")]}
    assert response_of(both, "instances")["predictions"][1] == {"a_bytes": b64(b"2"), "n": 2}
    assert response_of(both, "inputs") == {"outputs": {"a_bytes": [b64(b"\xff"), b64(b"2")], "n": [1, 2]}}


def test_only_names_that_end_in_bytes_become_base64():
    names = np.array([[b"\xc3\xa4", b"\xff"]], object)
    assert response_of({"names": names}, "inputs") == {"outputs": [["ä", "\ufffd"]]}


def test_rows_need_a_batch_dimension():
    for odd in ({"a": np.float32(1)}, {"a": np.zeros(2), "b": np.zeros(3)}):
        with pytest.raises(ServingError, match="batch dimension"):
            response_of({name: np.asarray(value) for name, value in odd.items()}, "instances")
    assert response_of({"a": np.asarray(1.5)}, "inputs") == {"outputs": 1.5}
