"""Errors say what is wrong in the words of the docs, and nothing about the machine."""

import gc
import weakref
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow_serving.config import model_server_config_pb2

from kind.serving.errors import echoed
from kind.serving.server.errors import ServingError, serving_error_of, without_folders, words_of
from kind.serving.server.messages import configs_of, status_message
from kind.serving.server.signatures import signature_named
from kind.serving.server.version_folders import ModelConfig
from kind.serving.server.versions import ModelManager, State, Version

ASSERTED = (
    "Graph execution error:\n\nDetected at node Assert defined at (most recent call last):\n"
    "<stack traces unavailable>\nassertion failed: [image_bytes[3]: damaged or incomplete]\n"
    "\t [[{{node Assert/Assert}}]] [Op:__inference_signature_wrapper_1]"
)
TRACED = ASSERTED.replace(
    "<stack traces unavailable>",
    '  File "/srv/kind/a.py", line 12, in run\n\n  File "/srv/b.py", line 3, in <lambda>\n',
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TRACED, "image_bytes[3]: damaged or incomplete"),
        (TRACED.replace("assertion failed", "failed"), "failed: [image_bytes[3]: damaged or incomplete]"),
        (ASSERTED, "image_bytes[3]: damaged or incomplete"),
        ("assertion failed: [alpha[0]: expects a number from 0 on; received -1]",) * 2,
        ("cannot open /srv/exports/kind/1/variables.index today", "cannot open variables.index today"),
    ],
)
def test_messages_are_bare(text, message):
    bare = message.removeprefix("assertion failed: [").removesuffix("]") if text == message else message
    assert serving_error_of(tf.errors.InvalidArgumentError(None, None, text)).message == bare


def test_two_assertions_are_both_bare():
    text = "2 root error(s) found.\n(0) INVALID_ARGUMENT: assertion failed: [a[0]: x]\n\t [[{{node A}}]]\n"
    text += "(1) INVALID_ARGUMENT: assertion failed: [a[0]: x]\n\t [[{{node B}}]]\n0 successful operations."
    assert serving_error_of(tf.errors.InvalidArgumentError(None, None, text)).message == "a[0]: x a[0]: x"


@pytest.mark.parametrize("make", [lambda: ServingError("NOT_FOUND", "no model", 418), MemoryError])
def test_the_words_of_an_error_keep_nothing_alive(make):
    class Body:
        pass

    def answered(body):
        try:
            raise make()
        except (ServingError, MemoryError) as error:
            words = words_of(error)
        return words, weakref.ref(body)

    gc.disable()
    try:
        words, body = answered(Body())
        assert body() is None
    finally:
        gc.enable()
    expected = serving_error_of(make())
    assert words == (expected.code, expected.message, expected.http_status)


def test_what_is_repeated_is_short_and_harmless():
    assert echoed("a" * 300) == "a" * 200
    assert echoed("\x1b[31m\n\u202e'ü\"…") == "\\x1b[31m\\n\\u202e'ü\"…"
    assert len(echoed("\x00" * 300)) == 200


@pytest.mark.parametrize("call", ["acquire", "status"])
def test_long_names_are_invalid(call, tmp_path):
    manager = ModelManager([ModelConfig("kind", tmp_path)], lambda folder: None)
    for which in (("x" * 5000,), ("kind", None, "x" * 5000)):
        with pytest.raises(ServingError) as caught:
            getattr(manager, call)(*which)
        assert caught.value.code == "INVALID_ARGUMENT" and len(caught.value.message) < 300


def test_the_status_names_no_folders(tmp_path):
    version = Version("kind", 1, tmp_path / "1")
    version.state = State.END
    version.error = ServingError("NOT_FOUND", f"{tmp_path}/1/saved_model.pb: damaged")
    (entry,) = status_message([version]).model_version_status
    assert entry.status.error_message == "saved_model.pb: damaged"


FOLDERS = ("/home/John Doe/my models/kind/1", "/srv/a (old)/kind's, new; [b]/1", "/home/me/C:\\x/kind/1")


@pytest.mark.parametrize("folder", list(map(Path, FOLDERS)))
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{folder}: no graph", "1: no graph"),
        ("'{folder}'", "'1'"),
        ("{folder}/variables/variables.index is missing", "variables.index is missing"),
        ("read {folder}/a.pb and {folder}/b.pb", "read a.pb and b.pb"),
        ("file://{folder}/saved_model.pb: damaged", "saved_model.pb: damaged"),
        ("no version folder in {folder.parent}", "no version folder in {folder.parent.name}"),
        ("{folder.parent}/2: gone", "2: gone"),
        ("{folder}0: gone", "10: gone"),
    ],
)
def test_known_folders_vanish_whatever_their_names_hold(folder, text, message):
    text, message = (each.format(folder=folder) for each in (text, message))
    assert without_folders(text, folder) == message
    assert serving_error_of(ValueError(text), folder).message == message


def test_relative_folders_vanish_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = Path("my models/kind/1")
    for text in (f"{folder}/saved_model.pb: damaged", f"{folder.absolute()}/saved_model.pb: damaged"):
        assert without_folders(text, folder) == "saved_model.pb: damaged"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (r"C:\Users\me\kind\1: gone", "1: gone"),
        (r"C:\Users\me\kind\1\variables/variables.index: gone", "variables.index: gone"),
        ("open 'D:/models/kind/a.pb'", "open 'a.pb'"),
        ("file:///home/me/kind/a.pb: damaged", "a.pb: damaged"),
        ("file:/home/me/a.pb", "a.pb"),
        *[
            (text,) * 2
            for text in ("http://host/v1/models/kind", r"name a\x1b[31m\n", "4/5 of 1/2", "a:b c: /d")
        ],
    ],
)
def test_other_folders_vanish_by_their_form(text, message):
    assert without_folders(text) == message


def test_what_a_failed_version_says_names_no_folders(tmp_path):
    base = tmp_path / "John Doe (old)" / "my models"
    (base / "1").mkdir(parents=True)
    (base / "1" / "saved_model.pb").touch()

    def refuse(folder):
        raise ServingError("NOT_FOUND", f"{folder}/saved_model.pb: damaged", 418)

    manager = ModelManager([ModelConfig("kind", base)], refuse)
    manager.poll()
    (version,) = manager.status("kind")
    error = version.error
    assert (error.code, error.message, error.http_status) == ("NOT_FOUND", "saved_model.pb: damaged", 418)
    for path, reason in ((base, "saved_model.pb: damaged"), (base / "no", "no version folder in no")):
        with pytest.raises(ServingError, match=f"model new cannot be served: {reason}$"):
            manager.reconfigure([ModelConfig("new", path)])


def test_what_a_worker_says_names_no_folders(tmp_path):
    from kind.serving.worker.main import _Worker

    folder = tmp_path / "my models" / "1"
    worker = _Worker()

    class Model:
        def warm_up(self):
            raise tf.errors.NotFoundError(None, None, f"{folder}/assets/words: no such file")

    worker.folder, worker.model = folder, Model()
    with pytest.raises(ServingError) as caught:
        worker.answer({"do": "warm up"}, {})
    assert (caught.value.code, caught.value.message) == ("NOT_FOUND", "words: no such file")


def test_long_names_of_signatures_are_invalid():
    for name, code in (("x" * 201, "INVALID_ARGUMENT"), ("x" * 200, "FAILED_PRECONDITION")):
        with pytest.raises(ServingError) as caught:
            signature_named({"enhance": 1}, name)
        assert caught.value.code == code and caught.value.http_status == 400
        assert len(caught.value.message) < 300


def reload(*base_paths):
    message = model_server_config_pb2.ModelServerConfig()
    message.model_config_list.SetInParent()
    for path in base_paths:
        message.model_config_list.config.add(name="kind", base_path=str(path))
    return message


def test_a_reload_is_off_and_stays_in_the_folder(tmp_path):
    inside = tmp_path / "kind"
    for roots, message, code in (
        (None, reload(inside), "PERMISSION_DENIED"),
        ([inside], reload(tmp_path), "PERMISSION_DENIED"),
        ([inside], reload(tmp_path / "kind2"), "PERMISSION_DENIED"),
        ([inside], reload(inside / ".." / "other"), "PERMISSION_DENIED"),
        ([inside], reload(), "INVALID_ARGUMENT"),
    ):
        with pytest.raises(ServingError) as caught:
            configs_of(message, roots)
        assert caught.value.code == code

    for name, path in (("k" * 201, inside), ("a\nb", inside), ("kind", f"{inside}/{'a/' * 2100}")):
        message = reload(path)
        message.model_config_list.config[0].name = name
        with pytest.raises(ServingError, match="a printable name of at most 200") as caught:
            configs_of(message, [inside])
        assert len(caught.value.message) < 400

    for path in (inside, inside / "canary"):
        assert configs_of(reload(path), [inside])[0].base_path == path
