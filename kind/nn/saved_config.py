"""What a `.keras` file may ask Keras to build.

Keras's own safe mode refuses lambdas, but no more: while it loads a file it imports every module that
the file names (also from the current folder), and its TFOpLambda layer calls every public function of
TensorFlow with the file's arguments, deleting folders included. So only layers that compute something
from tensors are let through, and everything that brings code of its own is not.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from kind.errors import UserError

#: Packages whose classes may be named, by the name that they are registered under. Files that were written
#: before there was one package say "detection".
_PACKAGES = (("kind", "kind"), ("kind.detection", "detection"), ("detection", "detection"), ("keras_cv",) * 2)
_MODELS = frozenset({"Functional", "Model", "Sequential"})
_LAYERS = frozenset(
    "Activation Add Average AveragePooling2D BatchNormalization Concatenate Conv2D Conv2DTranspose "
    "Cropping2D Dense DepthwiseConv2D Dropout ELU Flatten GlobalAveragePooling2D GlobalMaxPooling2D "
    "GroupNormalization InputLayer LayerNormalization LeakyReLU MaxPooling2D Maximum Minimum Multiply "
    "PReLU Permute ReLU Rescaling Reshape SeparableConv2D Softmax SpatialDropout2D Subtract "
    "UnitNormalization UpSampling2D ZeroPadding2D".split()
)
#: Small objects that stand in layers' settings: what they are named after, and nothing else.
_SETTINGS = ("keras.initializers", "keras.regularizers", "keras.constraints", "keras.mixed_precision")

_LARGEST_CONFIG = 1 << 24


def check_saved_config(path: str | Path) -> None:
    """Refuses a `.keras` file that names anything but the layers networks are made of.

    Args:
        path: a `.keras` file, which is a zip with a `config.json`.

    Raises:
        UserError: when it is not such a file, or names a lambda, a function or a class of elsewhere.
    """
    check_config(path, _read_config(path))


def check_config(path: str | Path, config: dict) -> None:
    """Refuses a network's description that names anything but the layers networks are made of.

    Args:
        path: of the file or folder that it comes from, for messages.
        config: the description; its `compile_config` is taken out.

    Raises:
        UserError: when it names a lambda, a function or a class of elsewhere.
    """
    # Keras builds the optimizer in the outermost `compile_config` only on request, but all inner ones.
    config.pop("compile_config", None)
    try:
        reason = next(filter(None, map(_objection, _named_objects(config))), None)
    except RecursionError:
        reason = "objects inside objects without end"
    if reason:
        raise UserError(f"{path}: refused, because it asks for {reason}; only plain layers are loaded")


def _read_config(path: str | Path) -> dict:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo("config.json").file_size > _LARGEST_CONFIG:
                raise ValueError(f"its config.json is larger than {_LARGEST_CONFIG >> 20} MiB")
            config = json.loads(archive.read("config.json"))
        if not isinstance(config, dict):
            raise ValueError("its config.json describes no network")
        return config
    except (OSError, EOFError, KeyError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: not a readable .keras file: {error}") from error


def _named_objects(config: object) -> Iterator[dict]:
    """All dictionaries in a config that describe an object to build."""
    if isinstance(config, dict):
        if "class_name" in config or "module" in config:
            yield config
    if isinstance(config, (dict, list)):
        for value in config.values() if isinstance(config, dict) else config:
            yield from _named_objects(value)


def _objection(item: dict) -> str | None:
    """Why an object may not be built, as words for a message; None when it may."""
    name, module = item.get("class_name"), item.get("module")
    if not isinstance(name, str) or not isinstance(module, (str, type(None))):
        return "an object without a name"
    if name in _MODELS or name in _LAYERS:
        # Without a module Keras takes its own class of that name.
        allowed = module is None or _is_in(module, "keras")
    elif name == "function":
        function = item.get("config")
        allowed = module == "builtins" and isinstance(function, str) and function.startswith("kind>")
        name = f"function {function}"
    else:
        registered = str(item.get("registered_name"))
        of_package = any(
            _is_in(module, part) and registered == f"{as_part}>{name}" for part, as_part in _PACKAGES
        )
        allowed = of_package or (module in _SETTINGS and name.isidentifier())
    return None if allowed else ascii(f"{module}.{name}" if module else name)


def _is_in(module: str | None, package: str) -> bool:
    """Whether a module belongs to a package; `__main__` modules would run a command when imported."""
    inside = module is not None and (module == package or module.startswith(f"{package}."))
    return inside and "__" not in module
