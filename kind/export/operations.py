"""The operations that exported graphs consist of; a SavedModel with any other is not loaded unseen.

A SavedModel is a program: its graph may read and write files, open connections and call Python. Those of this
package only compute, decode and encode, so everything else is a reason not to run a file from elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from google.protobuf.message import DecodeError
from tensorflow.core.framework.function_pb2 import FunctionDef
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

GRAPH_FILE = "saved_model.pb"

OPERATIONS = frozenset(
    """
    Abs AddV2 All Any ArgMax AsString Assert AssignVariableOp AvgPool BatchMatMulV2 BiasAdd BroadcastTo
    Cast Ceil CombinedNonMaxSuppression ConcatV2 ConcatenateDataset Const Conv2D Conv2DBackpropInput
    Cumsum DatasetToSingleElement DecodeBmp DecodeImage DecodeJpeg DecodePng DecodeRaw DepthToSpace
    DepthwiseConv2dNative DivNoNan EncodePng EnsureShape Equal Exp ExpandDims ExtractJpegShape Fill Floor
    FloorDiv FloorMod FusedBatchNormV3 GatherNd GatherV2 Greater GreaterEqual Identity IdentityN If
    IgnoreErrorsDataset IsFinite IsNan LeakyRelu Less LessEqual Log LogicalAnd LogicalNot LogicalOr
    MapDataset MatMul Max MaxPool Maximum Mean Min Minimum Mul Neg NoOp NotEqual OnesLike OptionsDataset
    Pack Pad PadV2 PartitionedCall Placeholder Pow Prod Range ReadVariableOp RealDiv Relu Reshape
    ResizeBilinear ResizeNearestNeighbor Round Rsqrt ScaleAndTranslate SelectV2 Shape Sigmoid Size Softmax
    Softplus SpaceToDepth Split SplitV Sqrt Square Squeeze StatefulPartitionedCall StatelessCase
    StatelessIf StatelessWhile StridedSlice StringJoin Sub Substr Sum TakeDataset Tanh TensorDataset
    TensorListConcatV2 TensorListFromTensor TensorListGetItem TensorListReserve TensorListSetItem
    TensorListStack TensorScatterMin Tile TopKV2 Transpose Unpack UnsortedSegmentMax UnsortedSegmentMin
    UnsortedSegmentSum VarHandleOp Where While
    """.split()
)
"""What the graphs and functions of exports hold, over all variants, precisions and networks of detection."""

CHECKPOINT_OPERATIONS = frozenset(
    """
    DisableCopyOnRead MergeV2Checkpoints RestoreV2 SaveV2 Select ShardedFilename StaticRegexFullMatch
    """.split()
)
"""What a SavedModel holds to save and restore its variables, in functions that nothing else calls."""

_RESTORING = frozenset("AssignVariableOp Const Identity NoOp RestoreV2".split())
_SAVING = frozenset(
    """
    Const DisableCopyOnRead Identity MergeV2Checkpoints NoOp Pack ReadVariableOp SaveV2 Select ShardedFilename
    StaticRegexFullMatch StringJoin
    """.split()
)
_LARGEST_FILE = 128 << 20  # bytes; exports have about 5 MB
_OBJECTS = frozenset(
    {"bare_concrete_function", "captured_tensor", "constant", "function", "user_object", "variable"}
)
_USER_OBJECTS = frozenset(
    {"_generic_user_object", "signature_map", "trackable_dict_wrapper", "trackable_list_wrapper"}
)
_IMPLEMENTS = "api_implements"
_NAMES_SHOWN, _LETTERS_SHOWN = 5, 40


class UnreadableGraph(ValueError):
    """The file of a SavedModel's graph is missing, too large or damaged; the message names it."""


class ForeignOperations(ValueError):
    """A SavedModel holds what no export holds.

    Attributes:
        names: of the operations, or of other parts.
    """

    def __init__(self, names: set[str]) -> None:
        """Says which."""
        shown = [ascii(name)[1:-1][:_LETTERS_SHOWN] for name in sorted(names)[:_NAMES_SHOWN]]
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        super().__init__(f"it holds operations that no export of kind holds: {', '.join(shown)}{more}")
        self.names = names


def read_graph(folder: Path) -> SavedModel:
    """Reads the graph of a SavedModel, without TensorFlow's loading it.

    Args:
        folder: holds `saved_model.pb`.

    Raises:
        UnreadableGraph: there is no such file, or it is too large or damaged.
    """
    path = folder / GRAPH_FILE
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE + 1)
        if len(data) > _LARGEST_FILE:
            raise UnreadableGraph(f"{path}: larger than {_LARGEST_FILE >> 20} MiB: not an export of kind")
        return SavedModel.FromString(data)
    except OSError as error:
        raise UnreadableGraph(f"{path}: cannot be read ({error.strerror})") from error
    except DecodeError as error:
        raise UnreadableGraph(f"{path}: damaged or incomplete") from error


def check_operations(saved_model: SavedModel) -> None:
    """Raises ForeignOperations when a SavedModel holds what no export holds."""
    names = foreign_operations(saved_model)
    if names:
        raise ForeignOperations(names)


def operations(saved_model: SavedModel) -> set[str]:
    """The operations in the graphs of a SavedModel and in their function libraries."""
    return {node.op for graph in saved_model.meta_graphs for node in _nodes(graph)}


def foreign_operations(saved_model: SavedModel) -> set[str]:
    """What a SavedModel holds and exports do not.

    Args:
        saved_model: see `read_graph`.

    Returns:
        Names of operations; of those that read and write checkpoints when anything but saving and restoring
        could run them, or restoring could write or read another file; of functions that are called and not
        there; and of kinds of objects.
    """
    if len(saved_model.meta_graphs) != 1 or not saved_model.meta_graphs[0].HasField("object_graph_def"):
        return {"a graph of TensorFlow 1"}
    (graph,) = saved_model.meta_graphs
    foreign = {node.op for node in graph.graph_def.node} - OPERATIONS
    functions = {function.signature.name: function for function in graph.graph_def.library.function}
    if len(functions) < len(graph.graph_def.library.function):
        foreign.add("functions of the same name")
    savers = set()
    for name, function in functions.items():
        found = {node.op for node in function.node_def} - OPERATIONS
        if found & CHECKPOINT_OPERATIONS:
            savers.add(name)
            # TensorFlow may put a function in the place of another that implements the same.
            foreign |= found & CHECKPOINT_OPERATIONS if _IMPLEMENTS in function.attr else set()
        foreign |= found - CHECKPOINT_OPERATIONS
    called = {name for node in _nodes(graph, but=_saver_nodes(graph)) for name in _functions_of(node)}
    called |= {name for node in _nodes(graph) for name in _functions_of(node)} - savers
    reachable = (called | functions_of_objects(graph)) & savers
    foreign |= {node.op for name in reachable for node in functions[name].node_def} & CHECKPOINT_OPERATIONS
    foreign |= _foreign_in_saver(graph, functions)
    return foreign | (called - set(functions)) | _foreign_objects(graph)


def _nodes(graph: MetaGraphDef, but: frozenset[str] = frozenset()) -> Iterator[NodeDef]:
    """The nodes of a graph, except those of these names, and of its functions."""
    yield from (node for node in graph.graph_def.node if node.name not in but)
    for function in graph.graph_def.library.function:
        yield from function.node_def


def _saver_nodes(graph: MetaGraphDef) -> frozenset[str]:
    """The two nodes that save and restore the variables."""
    saver = graph.saver_def
    return frozenset({_node_name(saver.save_tensor_name), saver.restore_op_name} - {""})


def _foreign_in_saver(graph: MetaGraphDef, functions: Mapping[str, FunctionDef]) -> set[str]:
    """What is foreign in the two nodes that save and restore, and in what uses them.

    The author of a SavedModel chooses the two. The one that restores runs while it is loaded, so it may only
    read, and only the file that the loader names. The one that saves must never run.
    """
    saver, foreign = graph.saver_def, set()
    nodes = _saver_nodes(graph)
    if len(nodes) == 1:
        foreign.add("a saver of one node")
    if nodes & _used_nodes(graph):
        foreign.add("a use of the saver")
    for node in graph.graph_def.node:
        if node.name not in nodes:
            continue
        allowed = _RESTORING if node.name == saver.restore_op_name else _SAVING
        for function in (functions[name] for name in _functions_of(node) if name in functions):
            foreign |= {each.op for each in function.node_def} - allowed
            if allowed is _RESTORING and not _restores_only(node, function, saver.filename_tensor_name):
                foreign.add("RestoreV2")
    return foreign


def _restores_only(node: NodeDef, function: FunctionDef, file: str) -> bool:
    """Whether a function that a node calls restores nothing but the file that a tensor names."""
    restoring = [each for each in function.node_def if each.op == "RestoreV2"]
    if not restoring:
        return True
    if node.op != "StatefulPartitionedCall" or not node.input or not function.signature.input_arg:
        return False
    # Only of the first argument the place is sure: others may follow a list.
    argument = function.signature.input_arg[0].name
    is_given = _with_output(node.input[0]) == _with_output(file)
    return is_given and all(list(each.input[:1]) == [argument] for each in restoring)


def _used_nodes(graph: MetaGraphDef) -> set[str]:
    """The nodes that other nodes, signatures, assets or the initialization name."""
    names = {name for node in graph.graph_def.node for name in node.input}
    tensors = [asset.tensor_info for asset in graph.asset_file_def]
    for signature in graph.signature_def.values():
        tensors += [*signature.inputs.values(), *signature.outputs.values()]
    for tensor in tensors:
        tensors += tensor.composite_tensor.components  # also looked at in this loop
        sparse = tensor.coo_sparse
        names |= {tensor.name, sparse.values_tensor_name, sparse.indices_tensor_name}
        names.add(sparse.dense_shape_tensor_name)
    for collection in graph.collection_def.values():
        names.update(collection.node_list.value)
    return {_node_name(name) for name in names}


def _node_name(reference: str) -> str:
    """The node in a reference such as "node:0" or "^node"."""
    return reference.lstrip("^").partition(":")[0]


def _with_output(reference: str) -> str:
    """A reference to a tensor with the number of its output, which is 0 where none is said."""
    return reference if ":" in reference else f"{reference}:0"


def _functions_of(node: NodeDef) -> Iterator[str]:
    """The functions that a node calls."""
    waiting = list(node.attr.values())
    while waiting:
        value = waiting.pop()
        for function in [*([value.func] if value.HasField("func") else []), *value.list.func]:
            yield function.name
            waiting += function.attr.values()


def functions_of_objects(graph: MetaGraphDef) -> set[str]:
    """The functions that can be called from Python once the SavedModel is loaded."""
    objects = graph.object_graph_def
    names = set(objects.concrete_functions)
    for node in objects.nodes:
        names.update(node.function.concrete_functions)
        names.add(node.bare_concrete_function.concrete_function_name)
    return names


def _foreign_objects(graph: MetaGraphDef) -> set[str]:
    foreign = set()
    for node in graph.object_graph_def.nodes:
        kind = node.WhichOneof("kind") or "an object of no kind"
        if kind not in _OBJECTS:
            foreign.add(kind)
        elif kind == "user_object" and node.user_object.identifier not in _USER_OBJECTS:
            foreign.add(node.user_object.identifier)
        foreign |= {name for name in (node.registered_name, node.registered_saver) if name}
    return foreign
