"""Nodes that a SavedModel does not need are left out, and those that compute the same become one.

A third of the nodes that TensorFlow writes are small numbers and sizes, written down again for every use. Of
a detector's, half are for its variables: nine for each, six of them so that the model can be saved again.
"""

from __future__ import annotations

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

_PURE = frozenset(
    """
    Abs AddV2 All Any Cast Ceil ConcatV2 Const DivNoNan EnsureShape Equal Exp ExpandDims Fill Floor FloorDiv
    FloorMod GatherV2 Greater GreaterEqual IsFinite IsNan Less LessEqual Log LogicalAnd LogicalNot LogicalOr
    MatMul Max Maximum Mean Min Minimum Mul Neg NotEqual OnesLike Pack Pad Pow Prod Range RealDiv Relu
    Reshape Round Rsqrt SelectV2 Shape Size Split Sqrt Square Squeeze StridedSlice StringJoin Sub Sum
    TensorListReserve Tile Transpose Unpack
    """.split()
)
"""Operations whose results depend on their inputs and attributes alone."""

_UNUSED_IS_USELESS = _PURE | {"ReadVariableOp"}
_GRADIENT = "_gradient_op_type"  # names a gradient, which exports leave out; TensorFlow would warn of that


def leave_out_saving(saved_model: SavedModel) -> None:
    """Leaves out what is there to save an export again, and to read variables that nobody asks for.

    Its variables are restored as before. `tf.saved_model.save` of a loaded export makes functions of its own.

    Args:
        saved_model: see `kind.export.operations.read_graph`; changed in place.
    """
    for meta_graph in saved_model.meta_graphs:
        graph, saver = meta_graph.graph_def, meta_graph.saver_def
        nodes = {node.name: node for node in graph.node}
        functions = {function.signature.name: function for function in graph.library.function}
        save = nodes[saver.save_tensor_name.partition(":")[0]]
        _empty(functions[save.attr["f"].func.name])
        used = {name.lstrip("^").partition(":")[0] for node in graph.node for name in node.input}
        kept = [node for node in graph.node if node.op != "ReadVariableOp" or node.name in used]
        del graph.node[:]
        graph.node.extend(kept)


def _empty(function: FunctionDef) -> None:
    """Leaves a function that returns its first argument."""
    del function.node_def[:], function.signature.control_output[:]
    function.control_ret.clear()
    for key in function.ret:
        function.ret[key] = function.signature.input_arg[0].name


def merge_nodes(saved_model: SavedModel) -> None:
    """Leaves each of several equal nodes of a function once, and no copies; the functions compute the same.

    Args:
        saved_model: see `kind.export.operations.read_graph`; changed in place.
    """
    for graph in saved_model.meta_graphs:
        for function in graph.graph_def.library.function:
            _leave_out_copies(function)
            _merge(function)
            _leave_out_unused(function)


def _leave_out_copies(function: FunctionDef) -> None:
    """Lets nodes read what is copied instead of the copy."""
    waited_for = {name for node in function.node_def for name in node.input if name.startswith("^")}
    waited_for.update(f"^{name}" for name in function.control_ret.values())
    sources: dict[str, str] = {}
    for node in function.node_def:
        if f"^{node.name}" in waited_for or any(name.startswith("^") for name in node.input):
            continue
        if node.op in ("Identity", "IdentityN"):
            sources.update((f"{node.name}:output:{place}", name) for place, name in enumerate(node.input))

    def source(name: str) -> str:
        while name in sources:
            name = sources[name]
        return name

    copies = {name.partition(":")[0] for name in sources}
    kept = [node for node in function.node_def if node.name not in copies]
    for node in kept:
        node.input[:] = map(source, node.input)
    for key, name in list(function.ret.items()):
        function.ret[key] = source(name)
    _keep(function, kept)


def _leave_out_unused(function: FunctionDef) -> None:
    """Leaves out what computes or reads something for nobody."""
    nodes = {node.name: node for node in function.node_def}
    waiting = [*function.ret.values(), *function.control_ret.values()]
    waiting += [node.name for node in function.node_def if node.op not in _UNUSED_IS_USELESS]
    used = set()
    while waiting:
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in nodes and name not in used:
            used.add(name)
            waiting += nodes[name].input
    _keep(function, [node for node in function.node_def if node.name in used])


def _keep(function: FunctionDef, nodes: list[NodeDef]) -> None:
    del function.node_def[:]
    function.node_def.extend(nodes)


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
        for key, name in list(results.items()):
            results[key] = _renamed(name, renamed)
    _keep(function, kept)


def _meaning(node: NodeDef) -> tuple:
    attributes = sorted(node.attr.items())
    values = ((name, value.SerializeToString(deterministic=True)) for name, value in attributes)
    return node.op, node.device, *node.input, *values


def _renamed(reference: str, renamed: dict[str, str]) -> str:
    """A reference, such as "node:output:0" or "^node", to the node that is left."""
    control = "^" if reference.startswith("^") else ""
    name, separator, output = reference[len(control) :].partition(":")
    return f"{control}{renamed.get(name, name)}{separator}{output}"
