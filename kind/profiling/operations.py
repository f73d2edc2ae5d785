"""Counts the arithmetic of a graph, every operation of it.

The convention, wherever a figure is shown: an addition and a multiplication count one each, so a
multiply-add counts two, and a comparison or an elementary function (sigmoid, square root, …) of one number
counts one. Moving numbers about (concatenating, cutting, reshaping, casting) counts nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from kind.nn.graphs import as_graph

CONVENTION = (
    "FLOPs: a multiply-add counts 2; an addition, a comparison or an elementary function of one number "
    "counts 1; moving numbers counts 0"
)

_MOVING = frozenset(
    "BatchToSpaceND Bitcast BroadcastArgs BroadcastTo Cast ConcatV2 Const DepthToSpace EnsureShape "
    "ExpandDims Fill GatherV2 Identity IdentityN MirrorPad NoOp OnesLike Pack Pad PadV2 Placeholder "
    "PreventGradient ReadVariableOp Reshape ResizeNearestNeighbor ResourceGather ReverseV2 Shape "
    "ShapeN Size Slice Snapshot SpaceToBatchND SpaceToDepth Split SplitV Squeeze StopGradient "
    "StridedSlice Tile Transpose Unpack ZerosLike".split()
)
_ELEMENTWISE = frozenset(
    "Abs Add AddN AddV2 BiasAdd Ceil ClipByValue Cos Div DivNoNan Elu Equal Erf Exp Expm1 Floor "
    "FloorDiv FloorMod Greater GreaterEqual Invert IsFinite IsNan LeakyRelu Less LessEqual Log Log1p "
    "LogicalAnd LogicalNot LogicalOr Maximum Minimum Mul Neg NotEqual Pow Range RealDiv Reciprocal "
    "Relu Relu6 Rint Round Rsqrt Select SelectV2 Selu Sigmoid Sign Sin Softplus Softsign Sqrt Square "
    "Sub Tan Tanh".split()
)
_REDUCTIONS = frozenset("All Any ArgMax ArgMin Max Mean Min Prod Sum".split())
_CONVOLUTIONS = frozenset("Conv2D DepthwiseConv2dNative".split())
# Per output number: three linear interpolations of two multiplications and an addition each.
_BILINEAR = 9
# (x - mean) · scale + offset, where scale = gamma / √(variance + ε) is a number a channel.
_NORMALISATION = 3


class UnknownOperation(ValueError):
    """An operation that the count does not know; a figure without it would be too low."""


def count_operations(function: Callable, *shapes: tuple[int, ...]) -> Counter[str]:
    """Counts the arithmetic of one call.

    Args:
        function: a model or a function of float32 tensors.
        shapes: of its arguments, fully known.

    Returns:
        FLOPs of each type of operation that has any, see the module; their sum is `total()`.

    Raises:
        UnknownOperation: when the graph has an operation that the count does not know.
    """
    signature = [tf.TensorSpec(shape) for shape in shapes]
    graph = as_graph(function, signature).get_concrete_function().graph
    counts: Counter[str] = Counter()
    _add(graph, counts)
    return counts


def _add(graph, counts: Counter[str]) -> None:
    for operation in graph.get_operations():
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            _add(_called(graph, operation, "f"), counts)
        elif operation.type in ("If", "StatelessIf"):  # the branch that costs more
            branches = [Counter(), Counter()]
            for branch, found in zip(("then_branch", "else_branch"), branches):
                _add(_called(graph, operation, branch), found)
            counts.update(max(branches, key=lambda found: sum(found.values())))
        elif flops := _flops(operation):
            counts[operation.type] += flops


def _called(graph, operation, attribute: str):
    name = operation.get_attr(attribute).name
    return graph._get_function(name).graph  # noqa: SLF001  (there is no public way into nested functions)


def _flops(operation) -> int:
    kind = operation.type
    of_integers = operation.inputs and not any(tensor.dtype.is_floating for tensor in operation.inputs)
    if kind in _MOVING or (of_integers and kind in _ELEMENTWISE | _REDUCTIONS):  # sizes and positions
        return 0
    if kind == "FusedBatchNormV3":  # its last output, for gradients, has no known size
        return _NORMALISATION * _size(operation.outputs[0])
    made = sum(map(_size, operation.outputs))
    if kind in _ELEMENTWISE:
        return made
    if kind == "SquaredDifference":
        return 2 * made
    if kind in _REDUCTIONS:
        return _size(operation.inputs[0])
    if kind in _CONVOLUTIONS:
        height, width, channels, _ = operation.inputs[1].shape
        return 2 * height * width * (channels if kind == "Conv2D" else 1) * made
    if kind == "Conv2DBackpropInput":  # a transposed convolution: every input number meets the whole kernel
        kernel, values = operation.inputs[1:3]
        return 2 * kernel.shape[0] * kernel.shape[1] * kernel.shape[2] * _size(values)
    if kind in ("MaxPool", "AvgPool"):
        return made * int(np.prod(operation.get_attr("ksize")))
    if kind in ("MatMul", "BatchMatMulV2"):
        transposed = operation.get_attr("transpose_a" if kind == "MatMul" else "adj_x")
        return 2 * made * operation.inputs[0].shape[-2 if transposed else -1]
    if kind == "ResizeBilinear":
        return _BILINEAR * made
    if kind == "Softmax":  # exponentials, their sum, the division
        return 3 * made
    raise UnknownOperation(
        f"operation {kind} ({operation.name}) has no cost; add it to kind/profiling/operations.py"
    )


def _size(tensor) -> int:
    if not tensor.shape.is_fully_defined():
        raise UnknownOperation(f"{tensor.name}: its size {tensor.shape} is not known, nor is what it costs")
    return tensor.shape.num_elements()
