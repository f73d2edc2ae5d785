"""Checkpoints to read: TensorFlow 1's, with the published names and formula, and PyTorch's."""

import functools
import hashlib
import io
import json
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from kind.checkpoints.names import PUBLISHED
from kind.decom.model import decomposition_net
from kind.illumination.model import adjustment_net
from kind.restoration.msia import msia
from kind.restoration.unet import unet

BUILDERS = {
    ("kind", "decom"): decomposition_net,
    ("kind", "restoration"): unet,
    ("kind", "illumination"): adjustment_net,
    ("kind-plus", "decom"): decomposition_net,
    ("kind-plus", "restoration"): msia,
    ("kind-plus", "illumination"): adjustment_net,
}


@pytest.fixture(scope="session")
def build():
    """(family, stage) → the network, built anew, with Keras's random weights."""
    return lambda family, stage: BUILDERS[family, stage]()


@pytest.fixture(scope="session")
def write_checkpoint():
    """(prefix, {name: array}) → writes a checkpoint as a TensorFlow 1 saver does, in one data file."""

    def write(prefix, variables):
        Path(prefix).parent.mkdir(parents=True, exist_ok=True)
        names = sorted(variables)
        tf.raw_ops.SaveV2(
            prefix=str(prefix),
            tensor_names=names,
            shape_and_slices=[""] * len(names),
            tensors=[tf.constant(variables[name]) for name in names],
        )
        return Path(prefix)

    return write


@pytest.fixture(scope="session")
def random_variables():
    """(family, stage, seed) → values of the published shapes under the published names."""

    @functools.cache
    def shapes(family, stage):
        net = BUILDERS[family, stage]()
        return {
            name: tuple(weights.shape)
            for layer, names in PUBLISHED[family][stage].layers.items()
            for name, weights in zip(names, net.get_layer(layer).weights)
        }

    def make(family, stage, seed=0):
        generator = np.random.default_rng(seed)
        return {
            name: generator.standard_normal(shape, dtype=np.float32)
            for name, shape in shapes(family, stage).items()
        }

    return make


@pytest.fixture(scope="session")
def formula():
    """(golden arrays) → the variables that the reference's README describes, by name."""

    def regenerate(golden):
        variables = {}
        for number, expected in enumerate(json.loads(str(golden["variables_json"]))):
            value = _formula_value(number, expected["name"], expected["shape"])
            assert hashlib.sha256(value.tobytes()).hexdigest() == expected["sha256"], expected["name"]
            variables[expected["name"]] = value
        return variables

    return regenerate


def _formula_value(number, name, shape):
    values = np.random.default_rng(1000 + number).standard_normal(shape).astype(np.float32)
    scope, _, part = name.rpartition("/")
    if part in ("weights", "kernel"):
        transposed = scope.split("/")[-1] in ("conv_up", "conv_up_1", "up_6", "up_7", "up_8", "up_9")
        fan_in = shape[3] if transposed else np.prod(shape[:3])
        return values * np.float32(1 / np.sqrt(fan_in))
    if part == "biases":
        return values * np.float32(0.05)
    if part == "gamma":
        return 1 + np.float32(0.1) * values
    if part == "moving_variance":
        return 1 + np.float32(0.1) * np.abs(values)
    return np.float32(0.1) * values


class Tensor:
    """A tensor of PyTorch as its pickles have it: a reduction to a function of torch._utils."""

    def __init__(self, array, dtype="FloatStorage", offset=0, strides=None, content=None, size=None):
        self.array, self.dtype, self.offset = array, dtype, offset
        count = [int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim)]
        self.strides = tuple(count) if strides is None else strides
        numbers = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}.get(dtype)
        self.content = array.astype(numbers).tobytes() if content is None else content
        self.size = array.size if size is None else size


class _Pickler(pickle.Pickler):
    def __init__(self, file, entries):
        super().__init__(file, protocol=2)
        self.entries = entries

    def persistent_id(self, item):
        if not isinstance(item, _Storage):
            return None
        self.entries[str(len(self.entries))] = item.tensor.content
        key = str(len(self.entries) - 1)
        return "storage", getattr(sys.modules["torch"], item.tensor.dtype), key, "cpu", item.tensor.size

    def reducer_override(self, item):
        if not isinstance(item, Tensor):
            return NotImplemented
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        shape = tuple(map(int, item.array.shape))
        return rebuild, (_Storage(item), item.offset, shape, item.strides, False, OrderedDict())


class _Storage:
    def __init__(self, tensor):
        self.tensor = tensor


@pytest.fixture
def fake_class(monkeypatch):
    """(module, name) → a class that pickles as that name, such as one of torch's or ultralytics'."""

    def make(module, name):
        parts = module.split(".")
        for name_of_part in (".".join(parts[:end]) for end in range(1, len(parts) + 1)):
            if name_of_part not in sys.modules:
                monkeypatch.setitem(sys.modules, name_of_part, types.ModuleType(name_of_part))
        made = type(name, (), {"__module__": module})
        monkeypatch.setattr(sys.modules[module], name, made, raising=False)
        return made

    return make


@pytest.fixture(scope="session")
def pt_tensor():
    """A tensor to write: `Tensor(array, …)`."""
    return Tensor


@pytest.fixture
def write_pt(fake_class, monkeypatch):
    """(path, content, further entries) → writes what `torch.save` writes; tensors are of class `Tensor`."""
    for name in ("FloatStorage", "HalfStorage", "BFloat16Storage", "LongStorage"):
        fake_class("torch", name)
    fake_class("torch._utils", "_rebuild_tensor_v2")

    def write(path, content, compression=zipfile.ZIP_STORED, **others):
        program, entries = io.BytesIO(), {}
        if isinstance(content, bytes):
            program.write(content)
        else:
            _Pickler(program, entries).dump(content)
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("name/data.pkl", program.getvalue())
            for key, numbers in {**{f"data/{key}": entries[key] for key in entries}, **others}.items():
                archive.writestr(f"name/{key}", numbers)
        return path

    return write
