"""Networks to and from `.keras` files; `load_net` is the only way in."""

from __future__ import annotations

import datetime
import hashlib
import json
import math
import re
import zipfile
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from tensorflow import keras

from kind.errors import UserError
from kind.files import atomic_write
from kind.nn.archive import CONFIG, METADATA, WEIGHTS, Archive, UnreadableArchive
from kind.nn.file_schema import Refused
from kind.nn.forking import refuse_forked
from kind.nn.forms import SHIPPED_WEIGHTS, shapes_of_published_size
from kind.nn.graph_builder import build_network
from kind.nn.interfaces import WrongNetwork, check_class, check_interface
from kind.nn.network import Network
from kind.nn.weights_file import (
    UnreadableWeights,
    check_shapes,
    read_layer_arrays,
    read_layer_shapes,
    write_arrays,
)

_SMALLEST_VALUE = 2  # bytes, of a float16
_LARGEST_VALUE = 32  # bytes, of a float64, thrice more for an optimizer, which Keras keeps in the same file
_SURPLUS = 32 << 20  # bytes, for the names of arrays; HDF5 takes some KB for each
_UNWANTED = frozenset({"shared_object_id", "compile_config"})


def save_net(net: keras.Model, path: str | Path, *, half_precision: bool = False) -> None:
    """Writes architecture and weights to one `.keras` file, wholly or not at all.

    `keras.models.load_model` opens it as well where this package is installed, see `kind.nn.network`.

    Args:
        net: a functional model of layers that `load_net` takes.
        path: ends in `.keras`.
        half_precision: store the weights as float16, compressed: less than half the size. Loading gives
            float32 variables again, rounded to 11 significant bits.

    Raises:
        ValueError: when two networks inside it share a layer that has weights, which the file cannot say.
    """
    config = plain_config(net)
    now = datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S")
    arrays = {name: _stored(variable, half_precision) for name, variable in _variables(net, {}).items()}
    method = zipfile.ZIP_DEFLATED if half_precision else zipfile.ZIP_STORED
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w", method) as archive:
        archive.writestr(METADATA, json.dumps({"keras_version": version("keras"), "date_saved": now}))
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(WEIGHTS, write_arrays(arrays))


def plain_config(net: keras.Model) -> dict:
    """What `save_net` writes of a network's architecture."""
    config = _plain(keras.saving.serialize_keras_object(net))
    if config["class_name"] == "Functional":
        names = {"module": Network.__module__, "class_name": "Network", "registered_name": "kind>Network"}
        config.update(names)
    return config


def load_net(path: str | Path, expected: str | None = None, *, partly: bool = False) -> keras.Model:
    """Reads a network; the file chooses among our layers and gives numbers, and nothing in it is executed.

    Networks of `kind.detection` load once their module is imported, as `kind.detection.predictor` does.

    Args:
        path: a `.keras` file.
        expected: the stage whose network it must hold, see `kind.nn.interfaces`; None takes any.
        partly: only layers are to be taken from it: any network that is not a detector is the expected one.

    Returns:
        The model, not compiled, in inference form.

    Raises:
        UserError: when the file is missing, is not a `.keras` file, is damaged, asks for anything but known
            layers, holds weights that are not finite, or holds another network than the expected one; and in
            a process that was forked from one in which networks are in use.
    """
    refuse_forked()
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such weights file; expected a .keras file")
    if path.suffix != ".keras" or not zipfile.is_zipfile(path):
        raise UserError(f"{path}: not a .keras file (a zip with {CONFIG} and {WEIGHTS})")
    try:
        return _read(path, expected, partly)
    except Refused as refused:
        listed = "the layers that kind/nn/known_layers.py lists"
        reason = f"refused, because it asks for {refused}; only {listed} are loaded"
    except (UnreadableArchive, UnreadableWeights, WrongNetwork) as error:
        reason = str(error)
    except Exception as error:  # Keras raises anything from TypeError to InvalidArgumentError on odd settings
        reason = "cannot be built as a network: " + ascii(str(error).strip().split("\n")[0][:300])[1:-1]
    raise UserError(f"{path}: {reason}")


def _read(path: Path, expected: str | None, partly: bool) -> keras.Model:
    with Archive(path) as archive:
        config = _config(archive)
        if expected is not None:
            check_class(config, expected)
        size = archive.size(WEIGHTS)
        known = _known_shapes(config) if path.parent != SHIPPED_WEIGHTS else {}
        # Building takes its time, so what any network may have is looked at before; more, when it is known.
        early = size <= _SURPLUS + _LARGEST_VALUE * sum(map(math.prod, known.values()))
        arrays = read_layer_arrays(archive.read(WEIGHTS), known) if early else None
        shapes = None if arrays is None else [array.shape for array in arrays.values()]
        net, class_names = build_network(config, size // _SMALLEST_VALUE, shapes)
        if expected is not None and not partly:
            check_interface(net, expected)
        most = _SURPLUS + _LARGEST_VALUE * net.count_params()
        if size > most:
            raise UnreadableWeights(f"its {WEIGHTS} has {size:,} bytes; expected {most:,} or less")
        _fill(net, class_names, read_layer_arrays(archive.read(WEIGHTS)) if arrays is None else arrays)
    return net


def _known_shapes(config: object) -> dict[str, tuple[int, ...]]:
    """What a network that ships, or a detector of a published size, has for arrays, by path; else nothing.

    So a wrong array in a large network is found without building it.
    """
    for path in SHIPPED_WEIGHTS.glob("*.keras"):
        with Archive(path) as shipped:
            if _config(shipped) == config:
                return read_layer_shapes(shipped.read(WEIGHTS))
    return shapes_of_published_size(config)


def net_of_parts(config: object, weights: bytes) -> keras.Model:
    """The network of a description and weights that lie in files of their own; checked like `load_net`'s.

    Args:
        config: what `config.json` holds, parsed.
        weights: the content of an HDF5 file.

    Returns:
        The model, not compiled.

    Raises:
        ValueError: when the description asks for anything but known layers, or the weights are not the
            network's; one line, without the files' names.
    """
    arrays = read_layer_arrays(weights)
    shapes = [array.shape for array in arrays.values()]
    net, class_names = build_network(config, len(weights) // _SMALLEST_VALUE, shapes)
    _fill(net, class_names, arrays)
    return net


def _fill(net: keras.Model, class_names: dict[int, str], arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a network the weights of an HDF5 file."""
    variables = _variables(net, class_names)
    check_shapes(arrays, {name: tuple(variable.shape) for name, variable in variables.items()})
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(variable.dtype.as_numpy_dtype))


def _config(archive: Archive) -> object:
    try:
        return json.loads(archive.read(CONFIG))
    except (ValueError, RecursionError) as error:
        raise UnreadableArchive(f"not a readable .keras file: {CONFIG}: {ascii(str(error))[1:-1]}") from error


def variables_by_path(net: keras.Model) -> dict[str, object]:
    """All variables of a network by the path that Keras stores them under, such as "layers/conv2d/vars/0"."""
    return _variables(net, {})


def _variables(net: keras.Model, class_names: dict[int, str]) -> dict[str, object]:
    """All variables by the path that Keras stores them under.

    Args:
        net: any model.
        class_names: of layers, by id, that the file knows by another class name than ours.
    """
    found = {}
    seen: set[int] = set()

    def visit(layers: Sequence[keras.layers.Layer], place: str) -> None:
        used: dict[str, int] = {}
        for layer in layers:
            if id(layer) in seen:
                if layer.weights:
                    raise ValueError(f"layer {layer.name!r} belongs to two networks; a file keeps it in one")
                continue
            seen.add(id(layer))
            name = _snake_case(class_names.get(id(layer), type(layer).__name__))
            number = used.get(name, -1) + 1
            used[name] = number
            here = f"{place}/{name}_{number}" if number else f"{place}/{name}"
            if isinstance(layer, keras.Model):
                visit(layer.layers, f"{here}/layers")
            else:
                found.update({f"{here}/vars/{index}": one for index, one in enumerate(layer.weights)})

    visit(net.layers, "layers")
    return found


def _snake_case(name: str) -> str:
    """As Keras spells the class names of layers in the paths of weights."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _stored(variable: object, half_precision: bool) -> np.ndarray:
    """A variable's value as the file has it; HDF5 knows no bfloat16."""
    value = variable.numpy()
    if half_precision and value.dtype == np.float32:
        return value.astype(np.float16)
    return value if value.dtype.kind == "f" and value.dtype.name != "bfloat16" else value.astype(np.float32)


def _plain(config: object) -> object:
    """A config without what Keras writes of objects that stand in it twice, and of losses and optimizers."""
    if isinstance(config, dict):
        return {key: _plain(value) for key, value in config.items() if key not in _UNWANTED}
    return [_plain(value) for value in config] if isinstance(config, (list, tuple)) else config


def weights_digest(net: keras.Model) -> str:
    """SHA-256 of all weights, by name, shape and bits: what caches of a network's outputs are keyed by."""
    digest = hashlib.sha256(net.name.encode())
    for variable in net.weights:
        value = np.ascontiguousarray(variable.numpy())
        digest.update(f"{variable.name} {value.dtype} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
