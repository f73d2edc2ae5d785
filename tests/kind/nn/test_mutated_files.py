"""Networks' files changed at random: each loads or ends in one line, and nothing else happens."""

import builtins
import io
import json
import random
import subprocess
import zipfile

import pytest
import tensorflow as tf
from tensorflow import keras

from kind.errors import UserError
from kind.nn.saving import load_net

#: Values that mean something to Keras, or that break what is not checked.
_VALUES = [
    None, True, False, 0, -1, 1, 2, 3.5, 10**6, 10**12, 1e308, float("nan"), "", "x", "linear",
    "kind>leaky_relu", "a\n\x1b[0m",
    "io.write_file", "_CONSTANT_VALUE", "Dense", "TFOpLambda", "Lambda", "keras.layers", "os",
    "keras.src.layers.core.tf_op_layer", "builtins", "function", "subprocess.Popen", [], {}, [[]], [None],
    ["_CONSTANT_VALUE", -1, "x", {"contents": "x"}], [["first", 0, 0, {"mask": ["second", 0, 0]}]],
    {"class_name": "__tensor__", "config": {"value": [1], "dtype": "float32"}},
    {"class_name": "__lambda__", "config": {"value": ["4wAAAAA=", None, None]}},
    {"class_name": "TFOpLambda", "module": "keras.src.layers.core.tf_op_layer",
     "registered_name": "TFOpLambda",
     "config": {"name": "op", "function": "io.write_file"}, "name": "op", "inbound_nodes": []},
    {"class_name": "Dense", "module": "keras.layers", "registered_name": "TFOpLambda", "shared_object_id": 1,
     "config": {"name": "op", "function": "load_op_library"}},
    {"class_name": "get_file", "module": "keras.utils", "registered_name": None,
     "config": {"fname": "x", "origin": "http://127.0.0.1:9/"}},
]  # fmt: skip
_KEYS = [
    "shared_object_id",
    "registered_name",
    "module",
    "class_name",
    "config",
    "inbound_nodes",
    "name",
    "function",
]


@pytest.fixture
def watched(monkeypatch):
    """Makes all that a file must not reach fail the test, and not by an exception that could be caught."""
    reached = []

    def forbid(owner, name):
        monkeypatch.setattr(owner, name, lambda *arguments, **settings: reached.append((name, arguments)))

    for name in ("write_file", "read_file", "matching_files", "decode_raw"):
        forbid(tf.io, name)
        if hasattr(tf.raw_ops, name.title().replace("_", "")):
            forbid(tf.raw_ops, name.title().replace("_", ""))
    for name in (
        "makedirs",
        "mkdir",
        "remove",
        "rmtree",
        "rename",
        "copy",
        "GFile",
        "listdir",
        "glob",
        "exists",
    ):
        forbid(tf.io.gfile, name)
    forbid(tf, "load_op_library")
    forbid(tf, "load_library")
    forbid(tf, "py_function")
    forbid(keras.utils, "get_file")
    forbid(keras.models, "load_model")
    forbid(keras.saving, "deserialize_keras_object")
    for name in ("Popen", "run", "call", "check_output"):
        forbid(subprocess, name)
    plain_open = builtins.open

    def watched_open(file, mode="r", *arguments, **settings):
        if set(mode) & set("wax+"):
            reached.append(("open", file, mode))
        return plain_open(file, mode, *arguments, **settings)

    monkeypatch.setattr(builtins, "open", watched_open)
    monkeypatch.setattr(io, "open", watched_open)
    return reached


def places(value):
    """Every (container, key) in a config."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        for key in list(item) if isinstance(item, dict) else range(len(item)):
            yield item, key
            if isinstance(item[key], (dict, list)):
                waiting.append(item[key])


def mutated_config(config, chance):
    """One to three changes somewhere in a copy of a config."""
    config = json.loads(json.dumps(config))
    for _ in range(chance.randint(1, 3)):
        found = list(places(config))
        container, key = chance.choice(found)
        other_container, other_key = chance.choice(found)
        change = chance.randrange(5)
        if change == 0:
            container[key] = json.loads(json.dumps(chance.choice(_VALUES)))
        elif change == 1:
            container[key] = json.loads(json.dumps(other_container[other_key]))
        elif change == 2:
            del container[key]
        elif isinstance(container, dict):
            container[chance.choice(_KEYS)] = json.loads(json.dumps(chance.choice(_VALUES)))
        else:
            container.append(json.loads(json.dumps(chance.choice(_VALUES))))
    return config


def mutated_bytes(content, chance):
    """Bits flipped, a piece cut out, or a piece doubled."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(max(1, len(changed)))
        change = chance.randrange(4)
        if change < 2 and changed:
            changed[place % len(changed)] ^= 1 << chance.randrange(8)
        elif change == 2:
            del changed[place : place + chance.randint(1, 64)]
        else:
            changed[place:place] = changed[place : place + chance.randint(1, 64)]
    return bytes(changed)


def try_to_load(path, content, reached):
    """Loads what was written before the watch began; whether it did."""
    loaded = True
    try:
        load_net(path)
    except UserError as error:
        assert str(error).isprintable(), error
        loaded = False
    assert not reached, (reached, content[:2000])
    return loaded


def check(small, path, watched, count, mutate, seed):
    with zipfile.ZipFile(small) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    chance = random.Random(seed)
    loaded = 0
    for _ in range(count):
        content = mutate(entries, small.read_bytes(), chance)
        path.unlink(missing_ok=True)
        path.touch()
        with path.open("r+b") as file:
            file.write(content)
        watched.clear()
        loaded += try_to_load(path, content, watched)
    return loaded


def in_zip(entries):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def with_config(entries, whole, chance):
    config = mutated_config(json.loads(entries["config.json"]), chance)
    return in_zip({**entries, "config.json": json.dumps(config)})


def with_bytes(entries, whole, chance):
    if chance.random() < 0.5:
        return mutated_bytes(whole, chance)
    name = chance.choice(list(entries))
    return in_zip({**entries, name: mutated_bytes(entries[name], chance)})


@pytest.mark.parametrize("mutate", [with_config, with_bytes])
def test_mutated_files_load_or_end_in_one_line(small, tmp_path, watched, mutate):
    loaded = check(small, tmp_path / "net.keras", watched, 60, mutate, seed=1)
    assert loaded < 60  # some changes do harm


@pytest.mark.slow
@pytest.mark.parametrize("mutate", [with_config, with_bytes])
@pytest.mark.parametrize("seed", range(4))
def test_thousands_of_mutated_files_load_or_end_in_one_line(small, tmp_path, watched, mutate, seed):
    assert check(small, tmp_path / "net.keras", watched, 2000, mutate, seed=100 + seed) < 2000
