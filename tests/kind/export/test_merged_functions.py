"""Equal functions become one, whatever they and what is in them are called."""

from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from kind.export.merged_functions import merge_functions


def function(name, *, called=None, number=1, argument="x", waits=False):
    """`number` times the argument, or what another function makes of it."""
    made = FunctionDef()
    made.signature.name = name
    made.signature.input_arg.add(name=argument, type=1)
    made.signature.output_arg.add(name=f"{argument}_out", type=1)
    made.node_def.add(name=f"{name}/node", op="StatefulPartitionedCall" if called else "Mul")
    made.node_def[0].input.extend([argument, argument])
    if called:
        made.node_def[0].attr["f"].func.name = called
    made.node_def[0].attr["number"].i = number
    made.ret[f"{argument}_out"] = f"{name}/node:z:0"
    if waits:
        made.control_ret["done"] = f"{name}/node"
    return made


def merged(*functions, named=()):
    holder = SavedModel()
    graph = holder.meta_graphs.add()
    graph.graph_def.library.function.extend(functions)
    for name in named:
        graph.object_graph_def.concrete_functions[name].SetInParent()
    node = graph.graph_def.node.add(name="main", op="StatefulPartitionedCall")
    node.attr["f"].func.name = functions[-1].signature.name
    merge_functions(holder)
    return graph.graph_def


def names(graph):
    return [function.signature.name for function in graph.library.function]


def test_equal_functions_become_one_and_then_their_callers():
    graph = merged(
        function("a"),
        function("b", argument="y"),
        function("c", number=2),
        function("d", waits=True),
        function("calls_a", called="a"),
        function("calls_b", called="b", argument="z"),
    )
    assert names(graph) == ["a", "c", "d", "calls_a"]
    assert graph.node[0].attr["f"].func.name == "calls_a"
    assert graph.library.function[-1].node_def[0].attr["f"].func.name == "a"


def test_functions_that_python_calls_keep_their_names():
    graph = merged(function("a"), function("b"), function("c"), named=["b"])
    assert names(graph) == ["a", "b"] and graph.node[0].attr["f"].func.name == "a"


def test_branches_in_lists_are_renamed():
    case = function("case")
    case.node_def[0].attr["branches"].list.func.add(name="b")
    case.node_def[0].attr["branches"].list.func.add(name="c").attr["inner"].func.name = "b"
    graph = merged(function("a"), function("b"), function("c", number=3), case)
    branches = graph.library.function[-1].node_def[0].attr["branches"].list.func
    assert [branch.name for branch in branches] == ["a", "c"]
    assert branches[1].attr["inner"].func.name == "a"
