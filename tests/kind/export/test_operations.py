"""A SavedModel is a program: only what our own exports consist of is run unseen."""

import numpy as np
import pytest
import tensorflow as tf

from kind.cli.served_networks import load_served_changes, served_detector
from kind.detection import predictor
from kind.detection.predictor import Thresholds
from kind.enhancing.enhancer import Enhancer
from kind.export import operations as module
from kind.export.operations import (
    CHECKPOINT_OPERATIONS,
    OPERATIONS,
    ForeignOperations,
    UnreadableGraph,
    check_operations,
    foreign_operations,
    operations,
    read_graph,
)
from kind.export.signatures import make_signatures


def saved(folder, function, *spec):
    """A SavedModel of one function; its graph."""
    holder = tf.Module()
    holder.weight = tf.Variable(1.0)  # exports have weights, and so functions with state

    def call(value):
        holder.weight.read_value()
        return function(value)

    holder.call = tf.function(call, input_signature=spec)
    tf.saved_model.save(holder, str(folder), holder.call.get_concrete_function())
    return read_graph(folder)


TEXT = tf.TensorSpec([], tf.string)
NUMBER = tf.TensorSpec([], tf.float32)


@pytest.mark.parametrize(
    ("name", "function", "spec"),
    [
        ("ReadFile", tf.io.read_file, TEXT),
        ("WriteFile", lambda text: [tf.io.write_file("/tmp/x", text), text][1], TEXT),
        ("MatchingFiles", tf.io.matching_files, TEXT),
        ("EagerPyFunc", lambda x: tf.py_function(lambda inside: inside, [x], tf.float32), NUMBER),
        ("PyFunc", lambda x: tf.numpy_function(lambda inside: inside, [x], tf.float32), NUMBER),
        ("PrintV2", lambda text: [tf.print(text, output_stream="file:///tmp/x"), text][1], TEXT),
        ("RestoreV2", lambda text: tf.raw_ops.RestoreV2(
            prefix=text, tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])[0], TEXT),
        ("SaveV2", lambda text: [tf.raw_ops.SaveV2(
            prefix=text, tensor_names=["x"], shape_and_slices=[""], tensors=[1.0]), text][1], TEXT),
        ("TextLineDataset", lambda text: next(iter(tf.data.TextLineDataset(text))), TEXT),
        ("ReadFile", lambda x: tf.cond(x > 0, lambda: tf.io.read_file("/etc/passwd"), lambda: ""), NUMBER),
    ],
)  # fmt: skip
def test_what_reaches_beyond_the_graph_is_named(tmp_path, name, function, spec):
    graph = saved(tmp_path, function, spec)
    assert name in foreign_operations(graph)
    with pytest.raises(ForeignOperations, match="no export of kind holds: "):
        check_operations(graph)


def test_what_only_computes_passes(tmp_path):
    graph = saved(tmp_path, lambda x: x * 2 + tf.sqrt(x), NUMBER)
    assert CHECKPOINT_OPERATIONS <= operations(graph)  # every SavedModel can save itself
    assert foreign_operations(graph) == set()


def saver_of(graph):
    """The function that saves the variables."""
    return next(
        function
        for function in graph.meta_graphs[0].graph_def.library.function
        if any(node.op == "SaveV2" for node in function.node_def)
    )


def test_nothing_but_the_saver_may_save(tmp_path):
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)
    (meta,) = graph.meta_graphs
    saver = saver_of(graph)
    library = meta.graph_def.library.function
    user = next(function for function in library if function is not saver and len(function.node_def))

    called = type(graph).FromString(graph.SerializeToString())
    node = called.meta_graphs[0].graph_def.library.function[list(library).index(user)].node_def.add()
    node.name, node.op = "hidden", "StatefulPartitionedCall"
    node.attr["f"].func.attr["inner"].func.name = saver.signature.name
    assert "SaveV2" in foreign_operations(called)

    exposed = type(graph).FromString(graph.SerializeToString())
    exposed.meta_graphs[0].object_graph_def.concrete_functions[saver.signature.name].SetInParent()
    assert "SaveV2" in foreign_operations(exposed)

    implemented = type(graph).FromString(graph.SerializeToString())
    saver_of(implemented).attr["api_implements"].s = b"enhance"
    assert "SaveV2" in foreign_operations(implemented)


def changed(graph):
    """A copy of a SavedModel's graph, and what is in it."""
    copy = type(graph).FromString(graph.SerializeToString())
    return copy, copy.meta_graphs[0]


def nodes_of_saver(meta):
    """The nodes that save and restore, and the function that restores."""
    nodes = {node.name: node for node in meta.graph_def.node}
    functions = {function.signature.name: function for function in meta.graph_def.library.function}
    save = nodes[meta.saver_def.save_tensor_name.partition(":")[0]]
    restore = nodes[meta.saver_def.restore_op_name]
    return save, restore, functions[restore.attr["f"].func.name]


def test_what_runs_while_loading_cannot_save(tmp_path):
    """The author of a SavedModel chooses the node that restores."""
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)

    swapped, meta = changed(graph)
    save, restore, _ = nodes_of_saver(meta)
    meta.saver_def.save_tensor_name, meta.saver_def.restore_op_name = f"{restore.name}:0", save.name
    assert {"SaveV2", "MergeV2Checkpoints"} <= foreign_operations(swapped)

    single, meta = changed(graph)
    meta.saver_def.save_tensor_name = f"{meta.saver_def.restore_op_name}:0"
    assert "a saver of one node" in foreign_operations(single)

    hidden, meta = changed(graph)
    nodes_of_saver(meta)[2].node_def.add(name="more", op="SaveV2")
    assert foreign_operations(hidden) == {"SaveV2"}

    calling, meta = changed(graph)
    call = nodes_of_saver(meta)[2].node_def.add(name="more", op="StatefulPartitionedCall")
    call.attr["f"].func.name = saver_of(calling).signature.name
    assert "SaveV2" in foreign_operations(calling)


def test_restoring_reads_only_the_file_that_the_loader_names(tmp_path):
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)

    constant, meta = changed(graph)
    function = nodes_of_saver(meta)[2]
    function.node_def.add(name="path", op="Const")
    next(node for node in function.node_def if node.op == "RestoreV2").input[0] = "path:output:0"
    assert foreign_operations(constant) == {"RestoreV2"}

    given, meta = changed(graph)
    meta.graph_def.node.add(name="path", op="Const")
    nodes_of_saver(meta)[1].input[0] = "path"
    assert foreign_operations(given) == {"RestoreV2"}

    other_output, meta = changed(graph)
    meta.saver_def.filename_tensor_name = meta.saver_def.filename_tensor_name.replace(":0", ":1")
    assert foreign_operations(other_output) == {"RestoreV2"}

    branches, meta = changed(graph)
    nodes_of_saver(meta)[1].op = "If"
    assert foreign_operations(branches) == {"RestoreV2"}


@pytest.mark.parametrize("which", [0, 1])
def test_nothing_uses_the_saver(tmp_path, which):
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)

    def used(by):
        copy, meta = changed(graph)
        by(meta, nodes_of_saver(meta)[which].name)
        return foreign_operations(copy)

    def asked(meta, name):
        meta.signature_def["serving_default"].outputs["more"].name = f"{name}:0"

    def asked_in_parts(meta, name):
        parts = meta.signature_def["serving_default"].outputs["more"].composite_tensor.components
        parts.add().composite_tensor.components.add().name = f"{name}:0"

    def fed(meta, name):
        meta.signature_def["serving_default"].inputs["more"].coo_sparse.values_tensor_name = f"{name}:0"

    def initialized(meta, name):
        meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = name

    def initialized_as_before(meta, name):
        meta.collection_def["saved_model_main_op"].node_list.value[:] = [name]

    def consumed(meta, name):
        meta.graph_def.node.add(name="more", op="Identity").input.append(f"{name}:0")

    def controlling(meta, name):
        meta.graph_def.node.add(name="more", op="NoOp").input.append(f"^{name}")

    def an_asset(meta, name):
        meta.asset_file_def.add().tensor_info.name = f"{name}:0"

    for by in (
        asked,
        asked_in_parts,
        fed,
        initialized,
        initialized_as_before,
        consumed,
        controlling,
        an_asset,
    ):
        assert used(by) == {"a use of the saver"}, by.__name__


def test_functions_of_the_same_name_are_foreign(tmp_path):
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)
    library = graph.meta_graphs[0].graph_def.library
    first = library.function.add()
    first.CopyFrom(library.function[0])
    assert foreign_operations(graph) == {"functions of the same name"}


def test_functions_that_bear_an_operations_name_hide_nothing(tmp_path):
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)
    function = graph.meta_graphs[0].graph_def.library.function.add()
    function.signature.name = "ReadFile"
    graph.meta_graphs[0].graph_def.library.function[0].node_def.add(name="n", op="ReadFile")
    assert "ReadFile" in foreign_operations(graph)


def test_functions_that_are_not_there_and_strange_objects_are_foreign(tmp_path):
    graph = saved(tmp_path, lambda x: x * 2, NUMBER)
    (meta,) = graph.meta_graphs
    meta.graph_def.node.add(name="n", op="StatefulPartitionedCall").attr["f"].func.name = "elsewhere"
    meta.object_graph_def.nodes.add().user_object.identifier = "_tf_keras_layer"
    meta.object_graph_def.nodes.add().resource.device = ""
    meta.object_graph_def.nodes.add(registered_name="a.B").user_object.identifier = "_generic_user_object"
    assert foreign_operations(graph) == {"elsewhere", "_tf_keras_layer", "resource", "a.B"}
    meta.ClearField("object_graph_def")
    assert foreign_operations(graph) == {"a graph of TensorFlow 1"}


def test_names_are_shown_short_and_without_control_characters():
    text = str(ForeignOperations({"\x1b[31m" + "x" * 500, *map(str, range(9))}))
    assert "\x1b" not in text and len(text) < 300 and "and 5 more" in text


def test_a_file_that_is_no_graph_is_named(tmp_path, monkeypatch):
    with pytest.raises(UnreadableGraph, match="saved_model.pb: cannot be read"):
        read_graph(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"\xff\xff")
    with pytest.raises(UnreadableGraph, match="damaged"):
        read_graph(tmp_path)
    monkeypatch.setattr(module, "_LARGEST_FILE", 1)
    with pytest.raises(UnreadableGraph, match="larger than"):
        read_graph(tmp_path)


def test_the_list_holds_nothing_that_reaches_beyond_the_graph():
    words = (
        "File",
        "Py",
        "Save",
        "Restore",
        "Checkpoint",
        "Print",
        "Service",
        "Rpc",
        "Custom",
        "Xla",
        "Summary",
    )
    assert [name for name in OPERATIONS if any(word in name for word in words)] == []
    assert not OPERATIONS & CHECKPOINT_OPERATIONS


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning")  # KerasCV asks Keras for what is deprecated
def test_the_list_is_what_all_exports_hold(tmp_path):
    """Every kind of network, precision and detector: no operation is missing and none is too many."""
    from kind.detection.model import build_detector
    from kind.detection.sizes import Proportions
    from kind.guided.model import Design, guided_y_net
    from kind.nn.saving import save_net
    from kind.restoration.msia import msia

    save_net(msia(), tmp_path / "plus/restoration.keras")
    save_net(guided_y_net(Design(widths=(4, 6, 8, 8))), tmp_path / "guided/guided-y.keras")
    yolov8 = build_detector(Proportions((16, 16, 16, 16), (1, 1, 1, 1), 1), ("cat", "dog", "cow"))
    shipped = predictor.load_detector(None)
    found = set()
    for number, (weights, variant, precision, net, seen) in enumerate(
        (
            (None, "kind", "float32", yolov8, "reflectance"),
            (tmp_path / "plus", "kind", "float32", None, ""),
            (None, "lite", "float32", shipped, "stretched"),
            (None, "lite", "bfloat16", yolov8, "raw"),
            (tmp_path / "guided", "guided-y", "float32", None, ""),
        )
    ):
        thresholds = Thresholds(64, 0.1, max_detections=5)
        detector = served_detector(net, thresholds, seen) if net else None
        folder = tmp_path / str(number)
        changes = load_served_changes(None, 0.5, 64) if seen == "stretched" else None
        signatures = make_signatures(Enhancer.load(weights, precision, variant), detector, changes=changes)
        signatures.save(str(folder))
        graph = read_graph(folder)
        assert foreign_operations(graph) == set(), (variant, precision)
        found |= operations(graph)
    before = {"IdentityN", "IsFinite"}  # in exports of earlier versions, which go on being served
    assert before.isdisjoint(found)
    assert (found - CHECKPOINT_OPERATIONS) | before == OPERATIONS


def test_a_server_refuses_what_could_read_files_unless_it_is_trusted(tmp_path):
    from kind.serving.server.errors import ServingError
    from kind.serving.worker.loading import LoadedModel

    secret = tmp_path / "secret"
    secret.write_text("told")
    saved(tmp_path / "1", tf.io.read_file, TEXT)
    with pytest.raises(ServingError, match="ReadFile; kind serve --trust runs it"):
        LoadedModel(tmp_path / "1")
    model = LoadedModel(tmp_path / "1", trust=True)
    (name,) = model.signatures["serving_default"].inputs
    (told,) = model.run("serving_default", {name: np.array(str(secret).encode(), object)}).values()
    assert told == b"told"
