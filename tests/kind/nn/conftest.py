"""A small network's file, and copies of it with something in it exchanged."""

import io
import json
import zipfile

import h5py
import pytest
from tensorflow import keras

from kind.errors import UserError
from kind.nn.layers import halve, leaky_conv, up_and_join
from kind.nn.saving import load_net, save_net


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """The file of a network with layers of Keras and of our own."""
    path = tmp_path_factory.mktemp("small") / "small.keras"
    image = keras.Input((None, None, 3), name="image")
    values = leaky_conv(image, 2, "first")
    values = up_and_join(leaky_conv(halve(values, "pool"), 3, "second"), values, 2, "up")
    save_net(keras.Model(image, leaky_conv(values, 2, "last"), name="small"), path)
    return path


@pytest.fixture
def altered(small, tmp_path):
    """(config=function, weights=function of an open HDF5 file, **entries by name) → a changed copy's path."""

    def alter(config=None, weights=None, method=zipfile.ZIP_STORED, text=None, **entries):
        path = tmp_path / "altered.keras"
        with zipfile.ZipFile(small) as source, zipfile.ZipFile(path, "w", method) as target:
            for name in source.namelist():
                content = source.read(name)
                if name == "config.json" and config:
                    described = json.loads(content)
                    content = json.dumps(config(described) or described)
                if name == "model.weights.h5" and weights:
                    buffer = io.BytesIO(content)
                    with h5py.File(buffer, "r+") as file:
                        weights(file)
                    content = buffer.getvalue()
                if name == "config.json" and text:
                    content = text
                target.writestr(name, entries.get(name.partition(".")[0], content))
        return path

    return alter


@pytest.fixture
def refusal():
    """The one line that loading a file ends in."""

    def load(path, *arguments, **options):
        with pytest.raises(UserError) as caught:
            load_net(path, *arguments, **options)
        assert str(caught.value).isprintable() and str(path) in str(caught.value)
        return str(caught.value)

    return load


@pytest.fixture(scope="session")
def build():
    """(family, stage) → the network, built anew, with Keras's random weights."""
    from kind.decom.model import decomposition_net
    from kind.illumination.model import adjustment_net
    from kind.restoration.msia import msia
    from kind.restoration.unet import unet

    builders = {
        ("kind", "decom"): decomposition_net,
        ("kind", "restoration"): unet,
        ("kind", "illumination"): adjustment_net,
        ("kind-plus", "restoration"): msia,
    }
    return lambda family, stage: builders[family, stage]()
