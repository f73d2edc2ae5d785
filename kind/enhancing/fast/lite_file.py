"""The weights of the light network by the name of their layer, read without TensorFlow."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from kind.errors import UserError
from kind.nn.archive import WEIGHTS, Archive, UnreadableArchive
from kind.nn.weights_file import UnreadableWeights, read_layer_arrays

Weights = dict[str, tuple[np.ndarray, np.ndarray]]
"""Kernel and bias, float32, by the layer's name in `lite.model.lite_net`."""

#: Layers with weights, in the network's order, and the shapes of their kernels; by Keras' name of the class.
LAYERS = {
    "conv2d": {
        "glance_1": (3, 3, 9, 16),
        "glance_2": (3, 3, 16, 32),
        "glance_3": (3, 3, 32, 48),
        "glance_1_of_2": (3, 3, 48, 48),
        "glance_2_of_2": (3, 3, 48, 48),
        "glance_context_1_mixed": (1, 1, 48, 48),
        "glance_context_2_mixed": (1, 1, 48, 48),
        "glance_context_3_mixed": (1, 1, 48, 48),
        "grid_near": (3, 3, 48, 8),
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
    "dense": {
        "summary_1": (150, 64),
        "summary_2": (64, 64),
        "glance_scale": (64, 48),
        "glance_shift": (64, 48),
        "grid_everywhere": (64, 8),
        "colour_share": (64, 3),
        "coarse_scale": (64, 48),
        "coarse_shift": (64, 48),
    },
    "depthwise_conv2d": {
        "glance_context_1_wide": (5, 5, 48, 1),
        "glance_context_2_wide": (9, 9, 48, 1),
        "glance_context_3_wide": (5, 5, 48, 1),
    },
}


def read_lite(path: Path) -> Weights:
    """Reads the weights.

    Args:
        path: a `.keras` file of the light network.

    Returns:
        All of them.

    Raises:
        UserError: when the file cannot be read, or holds another network.
    """
    places = {
        name: (f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars", shape)
        for kind, layers in LAYERS.items()
        for number, (name, shape) in enumerate(layers.items())
    }
    shapes = {f"{place}/0": shape for place, shape in places.values()}
    shapes |= {f"{place}/1": (_outputs(shape),) for place, shape in places.values()}
    try:
        with Archive(path) as archive:
            arrays = read_layer_arrays(archive.read(WEIGHTS), shapes)
    except (UnreadableArchive, UnreadableWeights) as error:
        raise UserError(f"{path}: {error}") from error
    if len(arrays) != len(shapes):
        raise UserError(f"{path}: holds another network than the light one, which int8 is for")
    return {
        name: tuple(np.asarray(arrays[f"{place}/{number}"], np.float32) for number in (0, 1))
        for name, (place, _) in places.items()
    }


def digest_of(weights: Weights) -> str:
    """SHA-256 of the values, in the order of their names: what calibrated ranges belong to."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        for values in weights[name]:
            digest.update(np.ascontiguousarray(values, "<f4").tobytes())
    return digest.hexdigest()


def _outputs(shape: tuple[int, ...]) -> int:
    """Length of a layer's bias; a depthwise kernel is [h, w, C, 1]."""
    return shape[-2] if len(shape) == 4 and shape[-1] == 1 else shape[-1]
