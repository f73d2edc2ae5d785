"""Which convolution of a published YOLOX graph belongs to which layer of our detector.

An ONNX export names most weights by numbers, so names tell nothing. Both graphs are walked side by side from
their outputs to the image instead: where ours has a convolution the file must have one, with the same kernel,
stride and padding, fed by the same. Batch normalisation is folded into the file's convolutions: their biases
become ours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tensorflow import keras

from kind.checkpoints.onnx_graph import Graph, Node, ascii_only
from kind.errors import UserError

_DEEPEST, _WIDEST = 8, 1024  # what a file may make us build; x has 4 and 160
_COLOURS, _WHITE = 3, 255.0


class Architecture(NamedTuple):
    """What a file's convolutions tell about its network.

    Attributes:
        width: of the first stack's channels; the others have 2, 4 and 8 times as many.
        depth: bottlenecks in the first and last stack and in the pyramid; the middle stacks have three times.
        depthwise: whether 3×3 convolutions are depthwise ones.
        class_channels: width of the heads.
        classes: how many.
    """

    width: int
    depth: int
    depthwise: bool
    class_channels: int
    classes: int


def architecture_of(graph: Graph) -> Architecture:
    """Reads the architecture off the shapes of the convolutions.

    Args:
        graph: of a YOLOX detector of any size.

    Returns:
        The architecture.

    Raises:
        UserError: when the convolutions are not those of such a detector.
    """
    file = _File(graph)
    shapes = [file.weights(node)[0].shape for node in graph.nodes if node.operation == "Conv"]
    stems = [shape for shape in shapes if shape[1:] == (4 * _COLOURS, 3, 3)]
    classes = file.weights(file.producer(file.levels()[0][2], "Conv"))[0].shape
    depthwise = any(shape[1] == 1 and shape[0] > 1 and shape[2:] == (3, 3) for shape in shapes)
    halves = 2 if depthwise else 1  # convolutions for each 3×3 one
    depth, rest = divmod(len(shapes) - 41 - 18 * halves, 12 * (1 + halves))
    if len(stems) != 1 or rest or not 0 < depth <= _DEEPEST:
        raise file.error(
            f"its {len(shapes)} convolutions, {len(stems)} of them a Focus stem, are not YOLOX's"
        )
    found = Architecture(2 * stems[0][0], depth, depthwise, classes[1], classes[0])
    if max(found.width, found.class_channels, found.classes) > _WIDEST:
        raise file.error(f"it has more than {_WIDEST} channels or classes")
    return found


def load_yolox(net: keras.Model, graph: Graph) -> None:
    """Fills a detector with the weights of a file, all of them or none.

    The published input is BGR from 0 to 255: order and range become part of the first kernel.

    Args:
        net: `detection.model.build_detector` of the file's architecture.
        graph: see `architecture_of`.

    Raises:
        UserError: where the file's graph is another than the detector's, or a weight is not finite.
    """
    found = _Walk(net, _File(graph)).matched()
    values = {layer: _folded(net, layer, kernel, bias) for layer, (kernel, bias) in found.items()}
    for weights in values.values():
        for layer, arrays in weights.items():
            net.get_layer(layer).set_weights(arrays)


class _File:
    """A graph's nodes by what they make, and errors that name the file."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._producers = {name: node for node in graph.nodes for name in node.outputs if name}

    def error(self, reason: str) -> UserError:
        return UserError(f"{self.graph.path}: not a YOLOX detector's graph: {ascii_only(reason)}")

    def producer(self, name: str, *operations: str) -> Node:
        """The node that makes a tensor, when it is one of these operations with all of its inputs."""
        node = self._producers.get(name)
        if node is None or node.operation not in operations or not node.inputs:
            made = f"made by {node.operation}" if node else "made by nothing"
            raise self.error(f"{name!r} is {made}, expected {' or '.join(operations)}")
        return node

    def tensor(self, name: str) -> np.ndarray:
        if name not in self.graph.tensors:
            raise self.error(f"{name!r} is not among its weights")
        return self.graph.tensors[name]

    def weights(self, node: Node) -> tuple[np.ndarray, np.ndarray]:
        """Kernel [out, in, height, width] and bias [out] of a convolution."""
        if len(node.inputs) != 3:
            raise self.error("a convolution has no bias; expected batch normalisation folded into it")
        kernel, bias = (self.tensor(name) for name in node.inputs[1:])
        if kernel.ndim != 4 or bias.shape != kernel.shape[:1] or kernel.dtype != np.float32:
            raise self.error(f"a kernel is {kernel.dtype} {list(kernel.shape)}, its bias {list(bias.shape)}")
        if not (np.isfinite(kernel).all() and np.isfinite(bias).all()):
            raise self.error(f"{node.inputs[1]!r} or its bias holds NaN or infinity")
        return kernel, bias

    def levels(self) -> list[tuple[str, str, str]]:
        """Names of each level's box, objectness and class convolutions' results, before any sigmoid."""
        if len(self.graph.outputs) != 1 or len(self.graph.inputs) != 1:
            raise self.error("expected one input and one output")
        last = self.producer(self.graph.outputs[0], "Transpose")
        rows = self.producer(last.inputs[0], "Concat")
        if last.attributes.get("perm") != (0, 2, 1) or len(rows.inputs) != 3:
            raise self.error("its output is not the rows of three levels")
        levels = []
        for name in rows.inputs:
            flat = self.producer(name, "Reshape", "Flatten")
            parts = self.producer(flat.inputs[0], "Concat").inputs
            if len(parts) != 3:
                raise self.error("a level does not join box, objectness and classes")
            levels.append((parts[0], *(self.producer(part, "Sigmoid").inputs[0] for part in parts[1:])))
        return levels


class _Walk:
    """Two graphs side by side, from the outputs to the image."""

    def __init__(self, net: keras.Model, file: _File) -> None:
        self._net, self._file = net, file
        self._layers = {id(layer.output): layer for layer in net.layers}
        self._met: dict[str, str] = {}
        self._found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def matched(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Kernel and bias in the file's form by the name of the convolution's layer."""
        waiting = []
        for level, names in enumerate(self._file.levels(), start=1):
            for part, name in zip(("box", "objectness", "class"), names):
                layer = self._net.get_layer(f"yolox_head_{level}_{part}_prediction")
                waiting.append((layer, name))
        while waiting:
            layer, name = waiting.pop()
            if layer.name in self._met:
                if self._met[layer.name] != name:
                    raise self._file.error(f"{layer.name} is fed by {name!r} and {self._met[layer.name]!r}")
                continue
            self._met[layer.name] = name
            names = self._inputs(layer, name)
            tensors = layer.input if isinstance(layer.input, list) else [layer.input]
            if names and len(names) != len(tensors):
                raise self._file.error(f"{layer.name} joins {len(tensors)} tensors, {name!r} {len(names)}")
            waiting += [(self._layers[id(tensor)], source) for tensor, source in zip(tensors, names)]
        wanted = sum(node.operation == "Conv" for node in self._file.graph.nodes)
        if len(self._found) != wanted:
            raise self._file.error(f"{wanted - len(self._found)} of its convolutions lead nowhere")
        return self._found

    def _inputs(self, layer: keras.layers.Layer, name: str) -> list[str]:
        """The names in the file of what a layer takes, when the file has at `name` what the layer does."""
        file, kind = self._file, type(layer).__name__
        if layer.name == "stem_focus":
            return self._focus(name)
        if kind in ("BatchNormalization", "ZeroPadding2D"):  # part of the file's convolutions
            return [name]
        if kind in ("Conv2D", "DepthwiseConv2D"):
            node = file.producer(name, "Conv")
            self._found[layer.name] = self._checked(layer, node)
            return node.inputs[:1]
        if kind == "Activation":
            return [self._silu(name)]
        if kind == "MaxPooling2D":
            node, size = file.producer(name, "MaxPool"), layer.pool_size
            self._expect(node, kernel_shape=tuple(size), strides=(1, 1), pads=(size[0] // 2,) * 4)
            return node.inputs[:1]
        if kind == "UpSampling2D":
            node = file.producer(name, "Resize")
            scales = file.tensor(node.inputs[2]) if len(node.inputs) > 2 else np.zeros(0)
            if node.attributes.get("mode") != "nearest" or scales.tolist() != [1, 1, 2, 2]:
                raise file.error(f"{name!r} is enlarged otherwise than twofold by the nearest pixel")
            return node.inputs[:1]
        node = file.producer(name, {"Concatenate": "Concat", "Add": "Add"}[kind])
        if kind == "Concatenate":
            self._expect(node, axis=1)
        return node.inputs

    def _silu(self, name: str) -> str:
        """What a SiLU, x · sigmoid(x), takes."""
        node = self._file.producer(name, "Mul")
        for value, other in (node.inputs, node.inputs[::-1]) if len(node.inputs) == 2 else ():
            gate = self._file._producers.get(other)
            if gate is not None and gate.operation == "Sigmoid" and gate.inputs == [value]:
                return value
        raise self._file.error(f"{name!r} is not x · sigmoid(x)")

    def _focus(self, name: str) -> list[str]:
        """Nothing is left to match behind the Focus stem: its slices are checked here."""
        node = self._file.producer(name, "Concat")
        corners = []
        for part in node.inputs:
            rows_or_columns = {}
            for _ in range(2):
                piece = self._file.producer(part, "Slice")
                if len(piece.inputs) != 5:
                    raise self._file.error(f"{part!r} is not a slice with a step")
                starts, _, axes, steps = (self._file.tensor(name).tolist() for name in piece.inputs[1:])
                if steps != [2] or axes not in ([2], [3]) or starts not in ([0], [1]):
                    raise self._file.error(f"{part!r} is not every second row or column")
                rows_or_columns[axes[0]], part = starts[0], piece.inputs[0]
            if part != self._file.graph.inputs[0]:
                raise self._file.error(f"its Focus stem reads {part!r}, not the image")
            corners.append((rows_or_columns.get(2), rows_or_columns.get(3)))
        if corners != [(0, 0), (1, 0), (0, 1), (1, 1)]:
            raise self._file.error("its Focus stem takes the four corners in another order")
        return []

    def _checked(self, layer: keras.layers.Layer, node: Node) -> tuple[np.ndarray, np.ndarray]:
        """A convolution's kernel and bias, when it is the layer's."""
        kernel, bias = self._file.weights(node)
        shape = tuple(layer.kernel.shape if hasattr(layer, "kernel") else layer.depthwise_kernel.shape)
        each = type(layer).__name__ == "DepthwiseConv2D"
        wanted = (shape[2], 1, *shape[:2]) if each else (shape[3], shape[2], *shape[:2])
        if kernel.shape != wanted:
            raise self._file.error(
                f"{node.inputs[1]!r} is {list(kernel.shape)}, expected {list(wanted)} ({layer.name})"
            )
        self._expect(
            node,
            strides=tuple(layer.strides),
            pads=(shape[0] // 2,) * 4,
            group=shape[2] if each else 1,
            dilations=(1, 1),
        )
        return kernel, bias

    def _expect(self, node: Node, **attributes: object) -> None:
        defaults = {"group": 1, "dilations": (1, 1), "strides": (1, 1), "pads": (0, 0, 0, 0)}
        for name, value in attributes.items():
            found = node.attributes.get(name, defaults.get(name))
            if found != value:
                made = ", ".join(node.outputs)
                raise self._file.error(f"{node.operation} {made} has {name} {found}, expected {value}")


def _folded(
    net: keras.Model, layer: str, kernel: np.ndarray, bias: np.ndarray
) -> dict[str, list[np.ndarray]]:
    """Weights by layer: of a convolution, and of the normalisation behind it, which adds the bias alone."""
    each = type(net.get_layer(layer)).__name__ == "DepthwiseConv2D"
    kernel = kernel.transpose(2, 3, 0, 1) if each else kernel.transpose(2, 3, 1, 0)
    if layer == "stem_conv_conv":
        parts = kernel.reshape(*kernel.shape[:2], -1, _COLOURS, kernel.shape[-1])
        kernel = (parts[..., ::-1, :] * np.float32(_WHITE)).reshape(kernel.shape)
    if not layer.endswith("_conv"):  # a prediction: no normalisation, a bias of its own
        return {layer: [kernel, bias]}
    normalisation = net.get_layer(layer.removesuffix("conv") + "bn")
    gain = np.sqrt(np.float32(1.0 + normalisation.epsilon))
    zeros, ones = np.zeros_like(bias), np.ones_like(bias)
    return {layer: [kernel], normalisation.name: [gain * ones, bias, zeros, ones]}
