"""YOLOX's ONNX file in our detector: equal outputs, other classes, and graphs that are not YOLOX's."""

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from kind.checkpoints.onnx_graph import read_onnx
from kind.cli import import_command
from kind.data.annotations.class_names import COCO
from kind.detection.decoding import decode_boxes
from kind.detection.iou import complete_iou
from kind.detection.model import build_detector, proportions_of
from kind.detection.predictor import SHIPPED_DETECTOR
from kind.detection.published import detector_from_yolox
from kind.detection.sizes import SIZES
from kind.detection.yolox_checkpoint import Architecture, architecture_of, load_yolox
from kind.errors import UserError
from kind.nn.saving import load_net

_spec = importlib.util.spec_from_file_location("onnx_writing", Path(__file__).parent / "onnx_writing.py")
onnx = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(onnx)

GOLDENS = ("forward_000000000009", "forward_000000000025")


@pytest.fixture(scope="module")
def published(shared):
    return shared / "reference/yolox/yolox_nano.onnx"


@pytest.fixture(scope="module")
def imported(published):
    return detector_from_yolox(published)


@pytest.fixture(scope="module")
def blank():
    return build_detector("yolox-nano", COCO)


def golden(shared, name):
    """The canvas, and what the published network says of it: boxes and scores by its own definition."""
    stored = np.load(shared / f"reference/yolox/{name}.npz")
    output = stored["output"].reshape(-1, 85).astype(float)
    sides = [416 // stride for stride in (8, 16, 32)]
    strides = np.repeat([8, 16, 32], [side * side for side in sides])[:, np.newaxis]
    cells = np.concatenate([np.argwhere(np.ones((side, side)))[:, ::-1] for side in sides])
    centres = (cells + output[:, :2]) * strides
    halves = np.exp(output[:, 2:4]) * strides / 2
    boxes = np.concatenate([centres - halves, centres + halves], axis=1)
    return stored["image"], boxes, output[:, 4:5] * output[:, 5:]


@pytest.mark.parametrize("name", GOLDENS)
def test_outputs_equal_the_published_network(imported, shared, name):
    image, boxes, scores = golden(shared, name)
    raw = imported(image[np.newaxis] / np.float32(255), training=False)
    np.testing.assert_allclose(raw["classes"][0], scores, rtol=0, atol=1e-4)
    np.testing.assert_allclose(decode_boxes(raw["boxes"], 416, 416)[0], boxes, rtol=0, atol=1e-2)


def test_the_detector_that_ships_is_the_published_one_in_half_precision(shared):
    net = load_net(SHIPPED_DETECTOR)
    assert net.class_names == COCO and net.input_size == 416
    assert SHIPPED_DETECTOR.stat().st_size <= 2.2e6
    licence = (SHIPPED_DETECTOR.parent / "LICENSE-YOLOX").read_text(encoding="utf-8")
    assert "Megvii" in licence and "Apache License" in licence and "Version 2.0" in licence
    for name in GOLDENS:
        image, boxes, scores = golden(shared, name)
        raw = net(image[np.newaxis] / np.float32(255), training=False)
        np.testing.assert_allclose(raw["classes"][0], scores, rtol=0, atol=0.05)
        seen = scores.max(axis=1) > 0.25
        found = decode_boxes(raw["boxes"], 416, 416)[0].numpy()
        assert seen.any() and complete_iou(found[seen], boxes[seen].astype(np.float32)).numpy().min() > 0.95


def test_size_and_names_come_with_the_file(imported, published):
    assert proportions_of(imported) == SIZES["yolox-nano"]
    assert architecture_of(read_onnx(published)) == Architecture(32, 1, True, 64, 80)
    assert imported.class_names == COCO
    assert imported.backbone.count_params() == 466_720


def test_the_command_keeps_all_but_the_last_layers_for_other_classes(imported, published, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    import_command.add_arguments(parser)
    out = tmp_path / "deep"
    words = ["yolox", str(published), "--out", str(out), "--classes", "face"]
    assert import_command.run(parser.parse_args(words)) == 0
    line = "(YOLOX nano, 1 classes: face)"
    printed = capsys.readouterr()
    assert printed.out == f"detector: {out / 'detector.keras'} {line}, from {published}\n"
    faces = load_net(out / "detector.keras")
    changed = [
        layer.name
        for layer in faces.layers
        if layer.weights
        and not all(map(np.array_equal, layer.get_weights(), imported.get_layer(layer.name).get_weights()))
    ]
    assert sorted(changed) == sorted(faces.class_layers) and len(changed) == 3


@pytest.mark.slow
def test_sizes_have_the_published_numbers_of_parameters():
    # The authors' table: millions of parameters, rounded; with 80 classes.
    for size, millions in (("yolox-nano", 0.91), ("yolox-tiny", 5.06)):
        net = build_detector(size, COCO)
        trained = sum(int(np.prod(weight.shape)) for weight in net.trainable_weights)
        assert trained / 1e6 == pytest.approx(millions, abs=0.06)


def encoded(graph):
    """A graph as a file again."""
    nodes = []
    for node in graph.nodes:
        known = {name: value for name, value in node.attributes.items() if not isinstance(value, float)}
        known = {name: value for name, value in known.items() if value is not None}
        nodes.append(onnx.node(node.operation, node.inputs, node.outputs, **known))
    tensors = [onnx.tensor(name, array) for name, array in graph.tensors.items()]
    return onnx.model(nodes, tensors, graph.inputs, graph.outputs)


def first(graph, operation, number=0):
    return [node for node in graph.nodes if node.operation == operation][number]


def swap_halves(graph):
    """The two halves of a block, joined in the other order."""
    node = first(graph, "Concat", 1)
    node.inputs.reverse()


def no_stride(graph):
    first(graph, "Conv", 1).attributes["strides"] = (1, 1)


def pad_as_tensorflow(graph):
    first(graph, "Conv", 1).attributes["pads"] = (0, 0, 1, 1)


def other_corner(graph):
    node = first(graph, "Concat")
    node.inputs[0], node.inputs[1] = node.inputs[1], node.inputs[0]


def another_activation(graph):
    first(graph, "Sigmoid").operation = "Tanh"


def no_bias(graph):
    first(graph, "Conv", 5).inputs.pop()


def not_a_number(graph):
    name = first(graph, "Conv", 7).inputs[1]
    graph.tensors[name] = np.full_like(graph.tensors[name], np.nan)


def crossed(graph):
    """A bottleneck reads the half that should go past it, of the same shape."""
    first(graph, "Conv", 5).inputs[0] = first(graph, "Concat", 1).inputs[1]


def no_output(graph):
    graph.outputs.clear()


def loop(graph):
    first(graph, "Conv", 9).inputs[0] = first(graph, "Conv", 20).outputs[0]


def deeper(graph):
    graph.nodes.append(first(graph, "Conv"))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (swap_halves, "expected"),
        (no_stride, "has strides (1, 1), expected (2, 2)"),
        (pad_as_tensorflow, "has pads (0, 0, 1, 1), expected (1, 1, 1, 1)"),
        (other_corner, "four corners in another order"),
        (another_activation, "is not x"),
        (no_bias, "expected batch normalisation folded into it"),
        (not_a_number, "holds NaN or infinity"),
        (crossed, "is fed by"),
        (no_output, "expected one input and one output"),
        (loop, "made by"),
        (deeper, "are not YOLOX's"),
    ],
)
def test_other_graphs_are_refused_and_named(published, blank, tmp_path, change, reason):
    graph = read_onnx(published)
    change(graph)
    path = tmp_path / "other.onnx"
    path.write_bytes(encoded(graph))
    before = blank.get_weights()
    with pytest.raises(UserError) as caught:
        architecture_of(read_onnx(path))
        load_yolox(blank, read_onnx(path))
    message = str(caught.value)
    assert message.startswith(f"{path}: not a YOLOX detector's graph: ") and "\n" not in message
    assert reason in message
    assert all(map(np.array_equal, before, blank.get_weights()))


def test_the_writer_of_these_tests_keeps_a_graph_as_it_is(published, blank, tmp_path):
    path = tmp_path / "same.onnx"
    path.write_bytes(encoded(read_onnx(published)))
    load_yolox(blank, read_onnx(path))
    assert np.abs(blank.get_layer("stem_conv_conv").get_weights()[0]).max() > 1
