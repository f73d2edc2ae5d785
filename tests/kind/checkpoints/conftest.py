"""Checkpoints to read: written in TensorFlow 1's format, with the published names and formula."""

import functools
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from decom.model import decomposition_net
from illumination.model import adjustment_net
from kind.checkpoints.names import PUBLISHED
from restoration.msia import msia
from restoration.unet import unet

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
