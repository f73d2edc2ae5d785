"""How few of our own calls lead from the console script to the first network."""

import sys
import traceback
from pathlib import Path

import numpy as np
import pytest
from tensorflow import keras

import kind.__main__
from kind.images.photo import write_photo

PACKAGE = Path(kind.__main__.__file__).resolve().parents[1]
#: What runs for `console_scripts` of the package, `kind.__main__:main`, is the first of them.
MOST = 7


def own_frames():
    """Names of the functions of the package that are running, the outermost first."""
    paths = [(Path(frame.filename), frame.name) for frame in traceback.extract_stack()]
    rooms = [(path.relative_to(PACKAGE).parts[0], name) for path, name in paths if PACKAGE in path.parents]
    return [name for room, name in rooms if room not in ("tests", ".venv")]


@pytest.mark.parametrize("variant", ["lite", "kind"])
def test_few_calls_lead_to_the_first_network(variant, tmp_path, monkeypatch, capsys):
    write_photo(tmp_path / "night.png", np.full((9, 7, 3), 0.1, np.float32))
    call, found = keras.Model.__call__, []

    def noted(net, inputs, *arguments, **named):
        parts = inputs if isinstance(inputs, (list, tuple)) else [inputs]
        if net.name != "thumbnail" and not any(map(keras.backend.is_keras_tensor, parts)):
            found.append(own_frames())
        return call(net, inputs, *arguments, **named)

    monkeypatch.setattr(keras.Model, "__call__", noted)
    command = ["kind", "enhance", str(tmp_path / "night.png"), "--out", str(tmp_path / "lit.png")]
    monkeypatch.setattr(sys, "argv", [*command, "--variant", variant, "--precision", "float32"])
    assert kind.__main__.main() == 0
    assert found[0][0] == "main" and len(found[0]) <= MOST, found[0]


def test_few_calls_lead_to_the_first_network_in_8_bits(tmp_path, monkeypatch, capsys):
    openvino = pytest.importorskip("openvino", reason="the extra fast is not installed")
    write_photo(tmp_path / "night.png", np.full((9, 7, 3), 0.1, np.float32))
    call, found = openvino.CompiledModel.__call__, []

    def noted(net, *arguments, **named):
        found.append(own_frames())
        return call(net, *arguments, **named)

    monkeypatch.setattr(openvino.CompiledModel, "__call__", noted)
    command = ["kind", "enhance", str(tmp_path / "night.png"), "--out", str(tmp_path / "lit.png")]
    monkeypatch.setattr(sys, "argv", [*command, "--precision", "int8"])
    assert kind.__main__.main() == 0
    assert found[0][0] == "main" and len(found[0]) <= MOST, found[0]
