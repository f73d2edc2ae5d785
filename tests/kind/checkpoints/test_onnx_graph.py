"""ONNX files read: what is in them, and what damaged and hostile ones say."""

import importlib.util
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kind.checkpoints.onnx_graph import read_onnx
from kind.errors import UserError

_spec = importlib.util.spec_from_file_location("onnx_writing", Path(__file__).parent / "onnx_writing.py")
onnx = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(onnx)

KERNEL = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
STARTS = np.array([-1, 1 << 40], np.int64)


@pytest.fixture
def write(tmp_path):
    """(bytes) → a file that holds them."""

    def write(content):
        path = tmp_path / "net.onnx"
        path.write_bytes(content)
        return path

    return write


def small():
    nodes = [
        onnx.node("Conv", ["images", "kernel"], ["x"], strides=[2, 2], group=1, auto_pad="NOTSET"),
        onnx.node("Resize", ["x", "", "scales"], ["output"], mode="nearest"),
    ]
    floats = onnx.part(4, np.array([1, 1, 2, 2], "<f4").tobytes())
    scales = onnx.whole(1, 4) + onnx.whole(2, 1) + onnx.part(8, "scales") + floats
    return onnx.model(nodes, [onnx.tensor("kernel", KERNEL), scales, onnx.tensor("starts", STARTS)])


def test_nodes_and_numbers_arrive(write):
    graph = read_onnx(write(small()))
    assert graph.inputs == ["images"] and graph.outputs == ["output"]
    assert [(node.operation, node.inputs, node.outputs) for node in graph.nodes] == [
        ("Conv", ["images", "kernel"], ["x"]),
        ("Resize", ["x", "", "scales"], ["output"]),
    ]
    assert graph.nodes[0].attributes == {"strides": (2, 2), "group": 1, "auto_pad": "NOTSET"}
    assert np.array_equal(graph.tensors["kernel"], KERNEL)
    assert graph.tensors["scales"].tolist() == [1, 1, 2, 2]
    assert graph.tensors["starts"].tolist() == STARTS.tolist()


def test_numbers_are_views_of_the_file(write):
    path = write(onnx.model(tensors=[onnx.tensor("big", np.zeros((1 << 22,), np.float32))]))
    tracemalloc.start()
    read_onnx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.2 * path.stat().st_size


def test_no_file_cut_anywhere_is_taken_for_whole_or_breaks_the_reader(write):
    content = small()
    for end in range(0, len(content), 3):
        try:
            graph = read_onnx(write(content[:end]))
        except UserError as error:
            assert "net.onnx: not a readable ONNX file" in str(error) and "\n" not in str(error)
        else:
            assert (
                end >= len(content) - 6 and len(graph.nodes) == 2
            )  # only the operator set's version is missing


def test_no_changed_byte_breaks_the_reader(write):
    content, generator = small(), np.random.default_rng(1)
    for position in generator.integers(0, len(content), 400):
        changed = bytearray(content)
        changed[position] ^= int(generator.integers(1, 256))
        try:
            read_onnx(write(bytes(changed)))
        except UserError as error:
            assert "\n" not in str(error)


EMPTY = onnx.part(1, b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it has 0 graphs, expected one"),
        (b"hello, world", "not a readable ONNX file"),
        (onnx.whole(1, 7) + onnx.part(7, EMPTY * 20_001), "more than 20000 nodes"),
        (onnx.part(7, onnx.part(1, onnx.part(1, "a") * 200_001)), "more than 200000 names"),
        (onnx.model(tensors=[onnx.tensor("k", KERNEL)[:-4]]), "not a readable ONNX file"),
        (onnx.model(tensors=[onnx.tensor("k", KERNEL, onnx.whole(1, 1 << 62))]), "numbers; its shape"),
        (onnx.model(tensors=[onnx.whole(1, -3) + onnx.tensor("k", KERNEL)]), "impossible shape"),
        (onnx.model(tensors=[onnx.whole(1, 1) * 9 + onnx.tensor("k", KERNEL)]), "impossible shape"),
        (onnx.model(tensors=[onnx.tensor("k", np.zeros(4, np.int8))]), "'k' has the type 3"),
        (onnx.model(tensors=[onnx.tensor("k", KERNEL)] * 2), "two tensors are called 'k'"),
        (onnx.model(tensors=[onnx.tensor("k", KERNEL, onnx.whole(14, 1))]), "kept in another file"),
        (onnx.model([onnx.node("Conv", [], []) + onnx.part(7, "com.evil")]), "domain 'com.evil'"),
        (onnx.part(7, onnx.varint(1 << 3 | 3)), "the wire type 3"),
        (b"\xff" * 11, "more than 64 bits"),
        (onnx.part(7, onnx.varint(1 << 3 | 2) + onnx.varint(1 << 63)), "bytes where 0 are left"),
        (onnx.model([onnx.node("Conv\xff\n", [], []) + onnx.part(4, b"\xff")]), "utf-8"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_files_name(write, content, message):
    path = write(content)
    with pytest.raises(UserError) as caught:
        read_onnx(path)
    assert message in str(caught.value) and str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match="none.onnx: no such file"):
        read_onnx(tmp_path / "none.onnx")
