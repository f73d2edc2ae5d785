"""Counts the arithmetic and the traffic of a graph, every operation of it.

The convention, wherever a figure is shown: an addition and a multiplication count one each, so a
multiply-add counts two, and a comparison or an elementary function (sigmoid, square root, …) of one number
counts one. Moving numbers about (concatenating, cutting, reshaping, casting) counts nothing.

Traffic is what the operations read and write: each reads its inputs once, weights among them, and writes its
outputs once, as if nothing stayed in a cache between two of them. Bias, normalisation and activation of a
convolution are computed in it and add nothing, neither do operations that only rename (identity, reshape);
of what is cut, the piece counts, not what it is cut from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kind.nn.graphs import as_graph

CONVENTION = (
    "FLOPs: a multiply-add counts 2; an addition, a comparison or an elementary function of one number "
    "counts 1; moving numbers counts 0"
)
TRAFFIC = (
    "bytes: each operation's inputs, weights and outputs once, in the precision of the line; a convolution's "
    "bias and activation, and renaming, move nothing; FLOP/byte: their ratio"
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

_RENAMING = frozenset(
    "Bitcast Const EnsureShape ExpandDims Identity IdentityN NoOp Placeholder PreventGradient ReadVariableOp "
    "Reshape Shape ShapeN Size Snapshot Squeeze StopGradient".split()
)
_CUTTING = frozenset("GatherV2 ResourceGather Slice StridedSlice".split())
# What TensorFlow and oneDNN compute in the convolution before it.
_FUSED = frozenset("BiasAdd Elu FusedBatchNormV3 LeakyRelu Relu Relu6".split())


class UnknownOperation(ValueError):
    """An operation that the count does not know; a figure without it would be too low."""


class Operation(NamedTuple):
    """One operation of a graph.

    Attributes:
        layer: the names of the layers that it is in; of a convolution, that of what it computes besides.
        type: such as "Conv2D".
        flops: see the module.
        bytes: that it reads and writes, see the module.
    """

    layer: str
    type: str
    flops: int
    bytes: int


class Cost(NamedTuple):
    """What all operations of a graph cost together, see the module."""

    flops: int
    bytes: int


def cost_of(operations: Iterable[Operation]) -> Cost:
    """The sums."""
    operations = list(operations)
    return Cost(sum(each.flops for each in operations), sum(each.bytes for each in operations))


def count_operations(function: Callable, *shapes: tuple[int, ...]) -> list[Operation]:
    """Counts the arithmetic and the traffic of one call.

    Args:
        function: a model or a function of float32 tensors.
        shapes: of its arguments, fully known.

    Returns:
        Every operation; of two branches, those of the one with more arithmetic.

    Raises:
        UnknownOperation: when the graph has an operation that the count does not know.
    """
    signature = [tf.TensorSpec(shape) for shape in shapes]
    return _counted(as_graph(function, signature).get_concrete_function().graph)


def _counted(graph) -> list[Operation]:
    counted = []
    for operation in graph.get_operations():
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            counted += _counted(_called(graph, operation, "f"))
        elif operation.type in ("If", "StatelessIf"):
            branches = (_counted(_called(graph, operation, name)) for name in ("then_branch", "else_branch"))
            counted += max(branches, key=cost_of)
        else:
            counted.append(Operation(_layer(operation), operation.type, _flops(operation), _bytes(operation)))
    return counted


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
    if kind == "CombinedNonMaxSuppression":  # each score meets the threshold; what overlaps is not known
        return _size(operation.inputs[1])
    if kind == "Softmax":  # exponentials, their sum, the division
        return 3 * made
    raise UnknownOperation(
        f"operation {kind} ({operation.name}) has no cost; add it to kind/profiling/operations.py"
    )


def _bytes(operation) -> int:
    if operation.type in _RENAMING or _is_fused(operation):
        return 0
    made = sum(map(_stored, operation.outputs))
    if operation.type in _CUTTING:
        return 2 * made
    return made + sum(map(_stored, operation.inputs))


def _is_fused(operation) -> bool:
    """Whether it is computed in a convolution, whose result nothing else reads."""
    while operation.type in _FUSED and len(operation.inputs[0].consumers()) == 1:
        operation = operation.inputs[0].op
        if operation.type in _CONVOLUTIONS:
            return True
    return False


def _layer(operation) -> str:
    """The name without its last part, after TensorFlow has joined a convolution and what follows it."""
    if operation.type in _CONVOLUTIONS:
        while following := _joined(operation):
            operation = following
    return operation.name.rpartition("/")[0] or operation.name


def _joined(operation):
    """What TensorFlow computes together with an operation; of a sum of two convolutions, with the second."""
    (result, *_), after = operation.outputs, operation.outputs[0].consumers()
    if len(after) != 1 or after[0].type not in (*_FUSED, "AddV2"):
        return None
    return after[0] if after[0].type != "AddV2" or after[0].inputs[1] is result else None


def _stored(tensor) -> int:
    """Bytes; none of handles of variables, and of what is as long as an image makes it."""
    known = tensor.shape.is_fully_defined() and not tensor.dtype.base_dtype == tf.resource
    return tensor.shape.num_elements() * tensor.dtype.size if known else 0


def _size(tensor) -> int:
    if not tensor.shape.is_fully_defined():
        raise UnknownOperation(f"{tensor.name}: its size {tensor.shape} is not known, nor is what it costs")
    return tensor.shape.num_elements()
