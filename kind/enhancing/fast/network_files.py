"""Weights of networks by the name of their layer, read from `.keras` files without TensorFlow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from kind.errors import UserError
from kind.nn.archive import WEIGHTS, Archive, UnreadableArchive
from kind.nn.weights_file import OtherShapes, UnreadableWeights, read_layer_arrays

Weights = dict[str, tuple[np.ndarray, ...]]
"""Kernel and bias, float32, by the layer's name; transposed convolutions have no bias."""

_Shapes = dict[str, dict[str, tuple[int, ...]]]

_OF_ONE_FORM = ("lite", "exposure")  # others of these names were made by another version

_CONVOLUTION, _TRANSPOSED, _DENSE, _DEPTHWISE = "conv2d", "conv2d_transpose", "dense", "depthwise_conv2d"


def _widths(size: int, *widths: tuple[str, int, int]) -> dict[str, tuple[int, ...]]:
    """Kernels of convolutions from (name, inputs, outputs)."""
    return {name: (size, size, inputs, outputs) for name, inputs, outputs in widths}


def _restoration() -> _Shapes:
    widths = [4, 32, 64, 128, 256]
    convolutions, transposed = [], {}
    for level in range(1, 5):
        narrow, wide = widths[level - 1 : level + 1]
        convolutions += [(f"encode_{level}_1", narrow, wide), (f"encode_{level}_2", wide, wide)]
    convolutions += [("bottom_1", 256, 512), ("bottom_2", 512, 512)]
    for level in range(4, 0, -1):
        width = widths[level]
        transposed[f"up_{level}"] = (2, 2, width, 2 * width)
        convolutions += [(f"decode_{level}_1", 2 * width, width), (f"decode_{level}_2", width, width)]
    return {_CONVOLUTION: _widths(3, *convolutions, ("restored_logits", 32, 3)), _TRANSPOSED: transposed}


_BRANCH: _Shapes = {  # which decides the exposure, see `kind.nn.exposure_branch`
    _CONVOLUTION: {
        "glance_1": (3, 3, 9, 16),
        "glance_2": (3, 3, 16, 32),
        "glance_3": (3, 3, 32, 48),
        "glance_1_of_2": (3, 3, 48, 48),
        "glance_2_of_2": (3, 3, 48, 48),
        "glance_context_1_mixed": (1, 1, 48, 48),
        "glance_context_2_mixed": (1, 1, 48, 48),
        "glance_context_3_mixed": (1, 1, 48, 48),
        "grid_near": (3, 3, 48, 8),
    },
    _DENSE: {
        "summary_1": (150, 64),
        "summary_2": (64, 64),
        "glance_scale": (64, 48),
        "glance_shift": (64, 48),
        "grid_everywhere": (64, 8),
    },
    _DEPTHWISE: {
        "glance_context_1_wide": (5, 5, 48, 1),
        "glance_context_2_wide": (9, 9, 48, 1),
        "glance_context_3_wide": (5, 5, 48, 1),
    },
}

#: Layers with weights of each network, by Keras' name of their class, in the network's order, and the shapes
#: of their kernels.
LAYERS: dict[str, _Shapes] = {
    "lite": {
        _CONVOLUTION: {
            **_BRANCH[_CONVOLUTION],
            "dark_cells": (1, 1, 48, 8),
            "stops_cells": (1, 1, 16, 2),
            "stem": (3, 3, 58, 44),
            "encode_1_1_of_2": (3, 3, 44, 44),
            "encode_1_2_of_2": (3, 3, 44, 44),
            "down_2": (3, 3, 44, 56),
            "encode_2_1_of_2": (3, 3, 56, 56),
            "encode_2_2_of_2": (3, 3, 56, 56),
            "down_3": (3, 3, 56, 48),
            "encode_3_1_of_2": (3, 3, 48, 48),
            "encode_3_2_of_2": (3, 3, 48, 48),
            "up_2": (1, 1, 48, 56),
            "decode_2": (3, 3, 56, 56),
            "up_1": (1, 1, 56, 44),
            "decode_1_1_of_2": (3, 3, 44, 44),
            "decode_1_2_of_2": (3, 3, 44, 44),
            "gain_folded": (1, 1, 44, 48),
            "detail_folded": (3, 3, 44, 48),
        },
        _DENSE: {
            **_BRANCH[_DENSE],
            "colour_share": (64, 3),
            "coarse_scale": (64, 48),
            "coarse_shift": (64, 48),
        },
        _DEPTHWISE: _BRANCH[_DEPTHWISE],
    },
    "decom": {
        _CONVOLUTION: {
            **_widths(3, ("encode_1", 3, 32), ("encode_2", 32, 64), ("encode_3", 64, 128)),
            **_widths(3, ("decode_2", 128, 64), ("decode_1", 64, 32), ("illumination_features", 32, 32)),
            **_widths(1, ("reflectance_logits", 32, 3), ("illumination_logits", 64, 1)),
        },
        _TRANSPOSED: {"up_2": (2, 2, 64, 128), "up_1": (2, 2, 32, 64)},
    },
    "restoration": _restoration(),
    "illumination": {
        _CONVOLUTION: _widths(
            3, ("conv_1", 2, 32), ("conv_2", 32, 32), ("conv_3", 32, 32), ("conv_4", 32, 1)
        ),
    },
    "exposure": _BRANCH,
}


def read_network(path: Path, network: str) -> Weights:
    """Reads the weights.

    Args:
        path: a `.keras` file.
        network: the key of its layers in `LAYERS`.

    Returns:
        All of them.

    Raises:
        UserError: when the file cannot be read, or holds another network.
    """
    what_to_do = f"train it anew: kind train {network}" if network in _OF_ONE_FORM else "take float32"
    places = _places(LAYERS[network])
    shapes = {place: shape for of_layer in places.values() for place, shape in of_layer.items()}
    try:
        with Archive(path) as archive:
            arrays = read_layer_arrays(archive.read(WEIGHTS), shapes)
    except OtherShapes as error:
        raise UserError(f"{path}: {error}; {what_to_do}") from error
    except (UnreadableArchive, UnreadableWeights) as error:
        raise UserError(f"{path}: {error}") from error
    if len(arrays) != len(shapes):
        raise UserError(f"{path}: holds another network than the one that int8 is for; {what_to_do}")
    return {
        name: tuple(np.asarray(arrays[place], np.float32) for place in of_layer)
        for name, of_layer in places.items()
    }


def digest_of(weights: Weights) -> str:
    """SHA-256 of the values, in the order of their names: what calibrated ranges belong to."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for values in weights[name]:
            digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()


def _places(layers: _Shapes) -> dict[str, dict[str, tuple[int, ...]]]:
    """Of each layer, the paths and shapes of its arrays in the file."""
    places = {}
    for kind, shapes in layers.items():
        for number, (name, shape) in enumerate(shapes.items()):
            place = f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars"
            places[name] = {f"{place}/0": shape}
            if kind != _TRANSPOSED:
                places[name][f"{place}/1"] = (shape[-2] if kind == _DEPTHWISE else shape[-1],)
    return places
