"""Functions of a SavedModel that compute the same become one.

TensorFlow writes the branches of each condition and the bodies of each loop as functions of their own, as
often as Python builds them: for every signature, and for every layer that pads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tensorflow.core.framework.attr_value_pb2 import AttrValue, NameAttrList
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from kind.export.operations import functions_of_objects


def merge_functions(saved_model: SavedModel) -> None:
    """Leaves each of several equal functions once.

    Args:
        saved_model: see `kind.export.operations.read_graph`; changed in place.
    """
    for graph in saved_model.meta_graphs:
        while _merge(graph):  # callers of functions that have become one may be equal now
            pass


def _merge(graph: MetaGraphDef) -> bool:
    """Merges functions that call the same functions; whether there were any."""
    library, named = graph.graph_def.library, functions_of_objects(graph)
    first: dict[bytes, str] = {}
    replaced: dict[str, str] = {}
    for function in library.function:
        name = function.signature.name
        kept = name if name in named else first.setdefault(_meaning(function), name)
        if kept != name:
            replaced[name] = kept
    functions = [function for function in library.function if function.signature.name not in replaced]
    nodes = [*graph.graph_def.node, *(node for function in functions for node in function.node_def)]
    for called in _calls(nodes):
        called.name = replaced.get(called.name, called.name)
    del library.function[:]
    library.function.extend(functions)
    return bool(replaced)


def _meaning(function: FunctionDef) -> bytes:
    """The same for functions that differ only in their names, and those of nodes and arguments."""
    copy = FunctionDef.FromString(function.SerializeToString())
    numbers = {argument.name: f"a{number}" for number, argument in enumerate(copy.signature.input_arg)}
    numbers.update((node.name, f"n{number}") for number, node in enumerate(copy.node_def))
    for node in copy.node_def:
        node.name = numbers[node.name]
        node.input[:] = [_numbered(name, numbers) for name in node.input]
        node.ClearField("experimental_debug_info")
    results = [_numbered(copy.ret[result.name], numbers) for result in copy.signature.output_arg]
    controls = sorted(_numbered(name, numbers) for name in copy.control_ret.values())
    for argument in [*copy.signature.input_arg, *copy.signature.output_arg]:
        argument.name = argument.description = ""
    copy.signature.name = ""
    del copy.signature.control_output[:]
    for field in ("ret", "control_ret", "arg_attr", "resource_arg_unique_id"):
        copy.ClearField(field)
    return copy.SerializeToString(deterministic=True) + repr((results, controls)).encode()


def _numbered(reference: str, numbers: Mapping[str, str]) -> str:
    """A reference, such as "node:output:0" or "^node", by the number of the node or argument."""
    control = "^" if reference.startswith("^") else ""
    name, separator, output = reference[len(control) :].partition(":")
    return f"{control}{numbers[name]}{separator}{output}"


def _calls(nodes: Iterable[NodeDef]) -> Iterator[NameAttrList]:
    """All that names a function in the attributes of nodes."""
    waiting: list[AttrValue] = [value for node in nodes for value in node.attr.values()]
    while waiting:
        value = waiting.pop()
        for called in [*([value.func] if value.HasField("func") else []), *value.list.func]:
            yield called
            waiting += called.attr.values()
