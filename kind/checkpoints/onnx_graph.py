"""ONNX files read without the onnx package and without running anything that they hold.

An ONNX file is a protocol buffer, `ModelProto` (https://github.com/onnx/onnx, onnx/onnx.proto). The graph's
nodes with their attributes and its initialisers are read; the numbers are views of the file's bytes. Counts
are limited, because a node of two bytes becomes an object of hundreds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Union

import numpy as np

from kind.checkpoints import protobuf
from kind.checkpoints.protobuf import Field
from kind.errors import UserError

Attribute = Union[int, float, str, tuple[int, ...]]

_LARGEST_FILE = 1 << 31  # protocol buffers' own limit
_MOST_NODES, _MOST_TENSORS, _MOST_NAMES = 20_000, 20_000, 200_000
_LARGEST_RANK, _MOST_INTEGERS = 8, 256
_DTYPES = {1: "<f4", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}
_DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass
class Node:
    """One operation.

    Attributes:
        operation: such as "Conv".
        inputs: names of its tensors; "" for one that is left out.
        outputs: names of its results.
        attributes: numbers, texts and lists of whole numbers by name; others are None.
    """

    operation: str = ""
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    attributes: dict[str, Attribute | None] = field(default_factory=dict)


@dataclass
class Graph:
    """What an ONNX file describes.

    Attributes:
        path: the file.
        nodes: in the order of the file.
        tensors: the initialisers by name, as views of the file's bytes.
        inputs: names of what the graph takes, without initialisers.
        outputs: names of what it gives.
    """

    path: Path
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, np.ndarray] = field(default_factory=dict)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


def read_onnx(path: str | Path) -> Graph:
    """Reads a graph with its weights.

    Args:
        path: an ONNX file that holds its weights itself.

    Returns:
        The graph; nothing about it is checked but that the file is sound.

    Raises:
        UserError: when the file is missing, is not an ONNX file, is damaged, or keeps weights elsewhere.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected an ONNX file (.onnx)")
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ValueError("it is larger than 2 GiB, which no protocol buffer is")
        graph = Graph(path)
        _read_model(memoryview(path.read_bytes()), graph)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from error
    except ValueError as error:
        raise UserError(f"{path}: not a readable ONNX file: {ascii_only(error)}") from error
    return graph


def ascii_only(words: object) -> str:
    """Words of a file, for a message in one line."""
    return str(words).encode("ascii", "backslashreplace").decode().replace("\n", " ")


def _read_model(model: memoryview, graph: Graph) -> None:
    contents = [protobuf.content_of(part) for part in protobuf.fields(model) if part.number == 7]
    if len(contents) != 1:
        raise ValueError(f"it has {len(contents)} graphs, expected one")
    named = 0
    for part in protobuf.fields(contents[0]):
        if part.number == 1:
            graph.nodes.append(_node(protobuf.content_of(part)))
            named += _size(graph.nodes[-1])
        elif part.number == 5:
            name, tensor = _tensor(protobuf.content_of(part))
            if name in graph.tensors:
                raise ValueError(f"two tensors are called {name!r}")
            graph.tensors[name] = tensor
        elif part.number in (11, 12):
            names = graph.inputs if part.number == 11 else graph.outputs
            names.append(_value_name(protobuf.content_of(part)))
        elif part.number == 15:
            raise ValueError("it has sparse tensors, which are not read")
        if len(graph.nodes) > _MOST_NODES or len(graph.tensors) > _MOST_TENSORS:
            raise ValueError(f"it has more than {_MOST_NODES} nodes or tensors")
        if named + len(graph.inputs) + len(graph.outputs) > _MOST_NAMES:
            raise ValueError(f"its nodes have more than {_MOST_NAMES} names and attributes")
    graph.inputs = [name for name in graph.inputs if name not in graph.tensors]


def _value_name(message: memoryview) -> str:
    names = [protobuf.text(part) for part in protobuf.fields(message) if part.number == 1]
    return names[-1] if names else ""


def _node(message: memoryview) -> Node:
    node = Node()
    for part in protobuf.fields(message):
        if part.number in (1, 2):
            names = node.inputs if part.number == 1 else node.outputs
            names.append(protobuf.text(part))
        elif part.number == 4:
            node.operation = protobuf.text(part)
        elif part.number == 5:
            name, value = _attribute(protobuf.content_of(part))
            node.attributes[name] = value
        elif part.number == 7 and protobuf.text(part) not in _DEFAULT_DOMAINS:
            raise ValueError(f"it has an operation of the domain {protobuf.text(part)!r}, not ONNX's own")
        if _size(node) > _MOST_NAMES:
            raise ValueError(f"a node has more than {_MOST_NAMES} names and attributes")
    return node


def _size(node: Node) -> int:
    """How many objects a node has become."""
    lists = [value for value in node.attributes.values() if isinstance(value, tuple)]
    return len(node.inputs) + len(node.outputs) + len(node.attributes) + sum(map(len, lists))


def _attribute(message: memoryview) -> tuple[str, Attribute | None]:
    """Name and value; None for a tensor, a graph or what else is not read."""
    name, value, numbers = "", None, []
    for part in protobuf.fields(message):
        if part.number == 1:
            name = protobuf.text(part)
        elif part.number == 2:
            value = protobuf.single_float(part)
        elif part.number == 3:
            value = protobuf.integer(part)
        elif part.number == 4:
            content = protobuf.content_of(part)
            value = bytes(content[:_MOST_INTEGERS]).decode("utf-8", "backslashreplace")
        elif part.number == 8:
            numbers += protobuf.integers(part, _MOST_INTEGERS)
            if len(numbers) > _MOST_INTEGERS:
                raise ValueError(f"an attribute has more than {_MOST_INTEGERS} numbers")
    return name, tuple(numbers) if numbers else value


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    """Name and numbers of an initialiser, a view wherever the file holds them as they are in memory."""
    name, kind, dims = "", 0, []
    contents: list[Field] = []
    for part in protobuf.fields(message):
        if part.number == 1:
            dims += protobuf.integers(part, _LARGEST_RANK)
        elif part.number == 2:
            kind = protobuf.integer(part)
        elif part.number == 8:
            name = protobuf.text(part)
        elif part.number in (4, 5, 6, 7, 9, 10):
            contents.append(part)
        elif part.number == 13 or (part.number == 14 and protobuf.integer(part)):
            raise ValueError(f"its tensor {name!r} is kept in another file; export it as a single file")
        elif part.number == 3:
            raise ValueError(f"its tensor {name!r} comes in segments, which are not read")
    if kind not in _DTYPES:
        raise ValueError(f"its tensor {name!r} has the type {kind}; expected one of {sorted(_DTYPES)}")
    if len(dims) > _LARGEST_RANK or any(side < 0 for side in dims):
        raise ValueError(f"its tensor {name!r} has the impossible shape {dims[: _LARGEST_RANK + 1]}")
    count = math.prod(dims)
    values = _numbers(contents, np.dtype(_DTYPES[kind]), count, name)
    if len(values) != count:
        raise ValueError(f"its tensor {name!r} has {len(values)} numbers; its shape {dims} has {count}")
    return name, values.reshape(dims)


def _numbers(contents: list[Field], dtype: np.dtype, count: int, name: str) -> np.ndarray:
    """All numbers of a tensor, [K]: raw, or in the field of their type."""
    if not contents:
        return np.empty(0, dtype)
    if len(contents) == 1 and contents[0].number == 9:
        raw = protobuf.content_of(contents[0])
        if len(raw) % dtype.itemsize:
            raise ValueError(f"its tensor {name!r} has {len(raw)} bytes, not a multiple of {dtype.itemsize}")
        return np.frombuffer(raw, dtype)
    if len(contents) == 1 and contents[0].number == 4 and dtype == np.float32:
        return protobuf.floats(contents[0])
    if len(contents) == 1 and contents[0].number == 7 and dtype == np.int64:
        return np.array(protobuf.integers(contents[0], min(count, _MOST_INTEGERS)), np.int64)
    raise ValueError(f"its tensor {name!r} stores its numbers in a way that is not read")
