"""Merging equal nodes leaves what a function computes as it is."""

import numpy as np
import tensorflow as tf
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from kind.export.merged_nodes import leave_out_saving, merge_nodes
from kind.export.operations import GRAPH_FILE, foreign_operations, read_graph


def merged(function):
    holder = SavedModel()
    holder.meta_graphs.add().graph_def.library.function.append(function)
    merge_nodes(holder)
    return holder.meta_graphs[0].graph_def.library.function[0]


def test_equal_nodes_become_one_in_any_order():
    function = FunctionDef()
    for name, op, *inputs in (
        ("sum", "AddV2", "second:output:0", "first:output:0"),
        ("first", "Const"),
        ("second", "Const"),
        ("again", "AddV2", "first:output:0", "second:output:0"),
        ("random", "RandomUniform", "first:output:0", "^second"),
        ("other", "RandomUniform", "second:output:0", "^first"),
    ):
        function.node_def.add(name=name, op=op, input=inputs)
        function.node_def[-1].attr["dtype"].type = 1
    function.node_def[0].attr["_gradient_op_type"].s = b"CustomGradient-1"
    function.ret["a"], function.ret["b"] = "again:z:0", "second:output:0"
    function.ret["d"] = "sum:z:0"
    function.control_ret["c"] = "second"
    found = merged(function)
    assert [(node.name, *node.input) for node in found.node_def] == [
        ("sum", "first:output:0", "first:output:0"),
        ("first",),
        ("again", "first:output:0", "first:output:0"),
        ("random", "first:output:0", "^first"),
        ("other", "first:output:0", "^first"),
    ]
    assert dict(found.ret) == {"a": "again:z:0", "b": "first:output:0", "d": "sum:z:0"}
    assert dict(found.control_ret) == {"c": "first"}
    assert all("_gradient_op_type" not in node.attr for node in found.node_def)


def test_copies_and_what_nobody_needs_are_left_out():
    function = FunctionDef()
    for name, op, *inputs in (
        ("two", "Const"),
        ("copy", "Identity", "x"),
        ("pair", "IdentityN", "y", "copy:output:0"),
        ("double", "Mul", "two:output:0", "pair:output:1"),
        ("checked", "Identity", "x", "^double"),
        ("gate", "Identity", "y"),
        ("check", "Assert", "checked:output:0", "^gate"),
        ("unused", "Unpack", "copy:output:0"),
    ):
        function.node_def.add(name=name, op=op, input=inputs)
    function.ret["a"], function.ret["b"] = "double:z:0", "pair:output:0"
    found = merged(function)
    assert [(node.name, *node.input) for node in found.node_def] == [
        ("two",),
        ("double", "two:output:0", "x"),
        ("checked", "x", "^double"),
        ("gate", "y"),
        ("check", "checked:output:0", "^gate"),
    ]
    assert dict(found.ret) == {"a": "double:z:0", "b": "y"}


def test_other_values_types_and_functions_are_kept(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec([None])])
    def call(x):
        half, same = tf.constant(0.5), tf.constant(0.5)
        return {"y": (x * half + x * same) * tf.constant(2.0) + tf.cast(tf.shape(x)[0] + 2, tf.float32)}

    module.call = call
    tf.saved_model.save(module, str(tmp_path), call.get_concrete_function())
    graph = read_graph(tmp_path)
    before = sum(len(one.node_def) for one in graph.meta_graphs[0].graph_def.library.function)
    merge_nodes(graph)
    (tmp_path / GRAPH_FILE).write_bytes(graph.SerializeToString())
    assert sum(len(one.node_def) for one in graph.meta_graphs[0].graph_def.library.function) < before
    served = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    assert np.array_equal(served(tf.constant([1.0, 2.0]))["y"], [6.0, 8.0])


def test_what_saves_is_left_out_and_what_restores_stays(tmp_path):
    module = tf.Module()
    module.weights = [tf.Variable([float(number)] * 3) for number in range(4)]
    module.call = tf.function(lambda x: x + sum(module.weights), input_signature=[tf.TensorSpec([3])])
    tf.saved_model.save(module, str(tmp_path), module.call.get_concrete_function())
    graph = read_graph(tmp_path)
    merge_nodes(graph)
    leave_out_saving(graph)
    (tmp_path / GRAPH_FILE).write_bytes(graph.SerializeToString())
    (meta,) = graph.meta_graphs
    nodes = [node for function in meta.graph_def.library.function for node in function.node_def]
    found = {node.op for node in nodes}
    assigned = [node.input[1] for node in nodes if node.op == "AssignVariableOp"]
    assert not {"SaveV2", "DisableCopyOnRead"} & found
    assert set(assigned) == {f"RestoreV2:tensors:{number}" for number in range(4)}
    assert "ReadVariableOp" not in [node.op for node in meta.graph_def.node]
    assert foreign_operations(graph) == set()
    signature = tf.saved_model.load(str(tmp_path)).signatures["serving_default"]
    (result,) = signature(x=tf.constant([1.0, 2.0, 3.0])).values()
    assert result.numpy().tolist() == [7, 8, 9]
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        loaded = tf.compat.v1.saved_model.load(session, ["serve"], str(tmp_path))
        (output,) = loaded.signature_def["serving_default"].outputs.values()
        (given,) = loaded.signature_def["serving_default"].inputs.values()
        assert session.run(output.name, {given.name: [1.0, 2.0, 3.0]}).tolist() == [7, 8, 9]
