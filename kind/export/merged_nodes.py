"""Nodes of a SavedModel that compute the same become one.

A third of the nodes that TensorFlow writes are small numbers and sizes, written down again for every use.
"""

from __future__ import annotations

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

_PURE = frozenset(
    """
    AddV2 Cast Const Equal ExpandDims Fill FloorDiv FloorMod GatherV2 Less LogicalAnd Maximum Minimum Mul Neg
    Pack Range RealDiv Reshape SelectV2 Shape StridedSlice Sub
    """.split()
)
"""Operations whose results depend on their inputs and attributes alone."""

_GRADIENT = "_gradient_op_type"  # names a gradient, which exports leave out; TensorFlow would warn of that


def merge_nodes(saved_model: SavedModel) -> None:
    """Leaves each of several equal nodes of a function once; what the functions compute is the same.

    Args:
        saved_model: see `kind.export.operations.read_graph`; changed in place.
    """
    for graph in saved_model.meta_graphs:
        for function in graph.graph_def.library.function:
            _merge(function)


def _merge(function: FunctionDef) -> None:
    first: dict[tuple, str] = {}
    renamed: dict[str, str] = {}
    for node in function.node_def:
        node.input[:] = [_renamed(name, renamed) for name in node.input]
        node.attr.pop(_GRADIENT, None)
        if node.op in _PURE:
            renamed[node.name] = first.setdefault(_meaning(node), node.name)
    kept = [node for node in function.node_def if renamed.get(node.name, node.name) == node.name]
    for node in kept:  # once more, because a node may come before those that it needs
        node.input[:] = [_renamed(name, renamed) for name in node.input]
    for results in (function.ret, function.control_ret):
        for key, name in results.items():
            results[key] = _renamed(name, renamed)
    del function.node_def[:]
    function.node_def.extend(kept)


def _meaning(node: NodeDef) -> tuple:
    attributes = sorted(node.attr.items())
    values = ((name, value.SerializeToString(deterministic=True)) for name, value in attributes)
    return node.op, node.device, *node.input, *values


def _renamed(reference: str, renamed: dict[str, str]) -> str:
    """A reference, such as "node:output:0" or "^node", to the node that is left."""
    control = "^" if reference.startswith("^") else ""
    name, separator, output = reference[len(control) :].partition(":")
    return f"{control}{renamed.get(name, name)}{separator}{output}"
