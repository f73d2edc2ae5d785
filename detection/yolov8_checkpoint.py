"""Which tensor of a published YOLOv8 checkpoint belongs to which layer of our detector.

A YOLOv8 convolution is a bias-free convolution, batch normalisation (epsilon 1e-3) and SiLU, as KerasCV's
is. What PyTorch stores as [out, in, height, width] TensorFlow wants as [height, width, in, out].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tensorflow import keras

from kind.checkpoints.pytorch import Checkpoint
from kind.errors import UserError

_NORMALISATION = ("weight", "bias", "running_mean", "running_var")
_HEAD = "model.22"
_BINS = 16
_DEEPEST, _WIDEST = 32, 4096  # what a file may make us build; x has 6 and 640

# KerasCV's name of a convolution or block → YOLOv8's number of it.
_CONVOLUTIONS = {
    "stem_1": "model.0",
    "stem_2": "model.1",
    "stack2_downsample": "model.3",
    "stack3_downsample": "model.5",
    "stack4_downsample": "model.7",
    "stack4_spp_fast_pre": "model.9.cv1",
    "stack4_spp_fast_output": "model.9.cv2",
    "pa_fpn_p3p4p5_downsample1": "model.16",
    "pa_fpn_p3p4p5_downsample2": "model.19",
}
_STACKS = {"stack1_c2f": 2, "stack2_c2f": 4, "stack3_c2f": 6, "stack4_c2f": 8}
_PYRAMID = {
    "pa_fpn_p4p5": 12,
    "pa_fpn_p3p4p5": 15,
    "pa_fpn_p3p4p5_downsample1_block": 18,
    "pa_fpn_p3p4p5_downsample2_block": 21,
}


class Architecture(NamedTuple):
    """What a checkpoint's shapes tell about its network.

    Attributes:
        channels: of the backbone's four stacks.
        depths: bottlenecks in the block of each stack.
        fpn_depth: bottlenecks in each block of the feature pyramid.
        class_channels: width of the hidden layers before the class scores.
        class_names: one for each class; "class 0", … where the file names none.
    """

    channels: tuple[int, ...]
    depths: tuple[int, ...]
    fpn_depth: int
    class_channels: int
    class_names: tuple[str, ...]


def architecture_of(checkpoint: Checkpoint) -> Architecture:
    """Reads the architecture off the shapes of the tensors.

    Args:
        checkpoint: of a YOLOv8 detector of any size, n to x or one's own.

    Returns:
        The architecture.

    Raises:
        UserError: when the tensors are not those of such a detector.
    """
    shapes = {name: tensor.shape for name, tensor in checkpoint.tensors.items()}
    try:
        channels = tuple(shapes[f"model.{number}.cv2.conv.weight"][0] for number in _STACKS.values())
        class_channels = shapes[f"{_HEAD}.cv3.0.0.conv.weight"][0]
        classes = shapes[f"{_HEAD}.cv3.0.2.weight"][0]
    except (KeyError, IndexError) as error:
        raise UserError(
            f"{checkpoint.path}: not a YOLOv8 detector's checkpoint: it has no {error.args[0]}; "
            "segmentation, pose, classification and other families do not fit"
        ) from error
    depths = tuple(_depth(shapes, number) for number in _STACKS.values())
    pyramid = {_depth(shapes, number) for number in _PYRAMID.values()}
    sound = len(pyramid) == 1 and all(0 < depth <= _DEEPEST for depth in {*pyramid, *depths})
    wide = all(0 < width <= _WIDEST for width in {*channels, class_channels, classes})
    if not sound or not wide or any(width % 2 for width in channels):
        raise UserError(
            f"{checkpoint.path}: not a YOLOv8 detector's checkpoint: its blocks have wrong depths or widths"
        )
    names = _class_names(checkpoint.attributes.get("names"), classes)
    return Architecture(channels, depths, pyramid.pop(), class_channels, names)


def load_yolov8(net: keras.Model, checkpoint: Checkpoint) -> None:
    """Fills a detector with a checkpoint's weights, all of them or none.

    Args:
        net: `detection.model.build_detector` of the checkpoint's architecture.
        checkpoint: see `architecture_of`.

    Raises:
        UserError: when tensors are missing, unexpected, of another shape or not finite; all are named.
        ValueError: when `net` is not a detector of this architecture.
    """
    sources = tensor_names(architecture_of(checkpoint))
    targets = {layer.name: layer for layer in net.layers if layer.weights}
    if targets.keys() != sources.keys():
        raise ValueError(f"{net.name} is not a detector of the checkpoint's architecture")
    _check_names(checkpoint, sources)
    wanted = {name: _wanted(targets[layer], i) for layer in sources for i, name in enumerate(sources[layer])}
    _check_shapes(checkpoint, wanted)
    values = checkpoint.values(list(wanted))
    _check_bins(checkpoint)
    for layer, names in sources.items():
        targets[layer].set_weights([_to_tensorflow(values[name]) for name in names])


def tensor_names(architecture: Architecture) -> dict[str, tuple[str, ...]]:
    """For each layer that has weights the names of its tensors, in the order of `layer.get_weights()`."""
    convolutions = dict(_CONVOLUTIONS)
    depths = dict(zip(_STACKS, architecture.depths))
    for block, number in {**_STACKS, **_PYRAMID}.items():
        convolutions[f"{block}_pre"] = f"model.{number}.cv1"
        convolutions[f"{block}_output"] = f"model.{number}.cv2"
        for part in range(depths.get(block, architecture.fpn_depth)):
            for half in (1, 2):
                convolutions[f"{block}_pre_{part}_{half}"] = f"model.{number}.m.{part}.cv{half}"
    names: dict[str, tuple[str, ...]] = {}
    for level in range(3):
        for kind, branch in (("box", "cv2"), ("class", "cv3")):
            scope, layer = f"{_HEAD}.{branch}.{level}", f"yolo_v8_head_{level + 1}_{kind}"
            convolutions[f"{layer}_1"], convolutions[f"{layer}_2"] = f"{scope}.0", f"{scope}.1"
            names[f"{layer}_3_conv"] = (f"{scope}.2.weight", f"{scope}.2.bias")
    for layer, scope in convolutions.items():
        names[f"{layer}_conv"] = (f"{scope}.conv.weight",)
        names[f"{layer}_bn"] = tuple(f"{scope}.bn.{part}" for part in _NORMALISATION)
    return names


def _depth(shapes: dict[str, tuple[int, ...]], number: int) -> int:
    """The bottlenecks in a block, which are numbered from 0."""
    depth = 0
    while f"model.{number}.m.{depth}.cv1.conv.weight" in shapes:
        depth += 1
    return depth


def _class_names(names: object, classes: int) -> tuple[str, ...]:
    """The names in a checkpoint, a list or a dictionary by number, as far as they can be used."""
    if isinstance(names, dict):
        names = [names.get(number) for number in range(classes)]
    names = names if isinstance(names, list) and len(names) == classes else [None] * classes
    return tuple(
        name if isinstance(name, str) and name and name.isprintable() else f"class {number}"
        for number, name in enumerate(names)
    )


def _check_names(checkpoint: Checkpoint, sources: dict[str, tuple[str, ...]]) -> None:
    wanted = {name for names in sources.values() for name in names} | {f"{_HEAD}.dfl.conv.weight"}
    found = {name for name in checkpoint.tensors if not name.endswith("num_batches_tracked")}
    problems = []
    if wanted - found:
        problems.append(f"missing {', '.join(sorted(wanted - found))}")
    if found - wanted:
        unexpected = (name if name.isprintable() else ascii(name) for name in sorted(found - wanted))
        problems.append(f"unexpected {', '.join(unexpected)}")
    if problems:
        raise UserError(f"{checkpoint.path}: not a YOLOv8 detector's checkpoint: {'; '.join(problems)}")


def _wanted(layer: keras.layers.Layer, index: int) -> tuple[int, ...]:
    """The shape in PyTorch's order of a layer's weight."""
    shape = tuple(layer.weights[index].shape)
    return (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape


def _check_shapes(checkpoint: Checkpoint, wanted: dict[str, tuple[int, ...]]) -> None:
    wrong = [
        f"{name} is {list(checkpoint.tensors[name].shape)}, expected {list(shape)}"
        for name, shape in wanted.items()
        if checkpoint.tensors[name].shape != shape
    ]
    if wrong:
        raise UserError(f"{checkpoint.path}: not a YOLOv8 detector's checkpoint: {'; '.join(wrong)}")


def _check_bins(checkpoint: Checkpoint) -> None:
    """The distances that a box's distribution is over are stored, too; ours are built in."""
    name = f"{_HEAD}.dfl.conv.weight"
    bins = checkpoint.values([name])[name].ravel() if np.prod(checkpoint.tensors[name].shape) == _BINS else []
    if not np.array_equal(bins, np.arange(_BINS)):
        raise UserError(
            f"{checkpoint.path}: {name} is not 0, 1, … {_BINS - 1}, as in published YOLOv8 networks"
        )


def _to_tensorflow(value: np.ndarray) -> np.ndarray:
    return value.transpose(2, 3, 1, 0) if value.ndim == 4 else value
