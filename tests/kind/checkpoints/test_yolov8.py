"""YOLOv8 checkpoints in our detector: equal outputs, all sizes, other classes, wrong files."""

import argparse
from collections import OrderedDict

import numpy as np
import pytest

from kind.checkpoints.pytorch import read_checkpoint
from kind.cli import import_command
from kind.detection.decoding import decode_boxes
from kind.detection.model import build_detector
from kind.detection.published import detector_from_yolov8
from kind.detection.reuse import with_classes
from kind.detection.sizes import Proportions
from kind.detection.yolov8_checkpoint import Architecture, architecture_of, load_yolov8, tensor_names
from kind.errors import UserError
from kind.nn.saving import load_net

# Ultralytics' own summaries of its networks for 80 classes, its 16 constant bins included.
PUBLISHED_PARAMETERS = {"n": 3_157_200, "s": 11_166_560, "m": 25_902_640, "l": 43_691_520, "x": 68_229_648}


@pytest.fixture(scope="module")
def published(shared):
    return shared / "reference/yolov8/yolov8n.pt"


@pytest.fixture(scope="module")
def imported(published):
    return detector_from_yolov8(published)


@pytest.mark.parametrize("name", ["forward_000000000009", "forward_000000000025"])
def test_outputs_equal_the_published_network(imported, shared, name):
    golden = np.load(shared / f"reference/yolov8/{name}.npz")
    raw = imported(golden["image"][np.newaxis] / np.float32(255), training=False)
    np.testing.assert_allclose(raw["classes"][0], golden["scores"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(decode_boxes(raw["boxes"], 320, 320)[0], golden["boxes"], rtol=0, atol=1e-2)


def test_names_come_with_the_file(imported):
    assert len(imported.class_names) == 80
    assert (imported.class_names[0], imported.class_names[-1]) == ("person", "toothbrush")


def test_other_classes_keep_all_but_the_last_layers(imported):
    faces = with_classes(imported, ["face"])
    changed = [
        layer.name
        for layer in faces.layers
        if layer.weights
        and not all(map(np.array_equal, layer.get_weights(), imported.get_layer(layer.name).get_weights()))
    ]
    assert sorted(changed) == sorted(faces.class_layers) and len(changed) == 3
    scores = faces(np.full((1, 64, 64, 3), 0.5, np.float32))["classes"]
    assert scores.shape == (1, 84, 1) and scores.numpy().max() < 0.2


@pytest.mark.parametrize("size", ["n", *(pytest.param(size, marks=pytest.mark.slow) for size in "smlx")])
def test_every_size_has_the_published_number_of_parameters(size):
    net = build_detector(size, [str(number) for number in range(80)])
    trainable = sum(int(np.prod(weight.shape)) for weight in net.trainable_weights)
    assert trainable + 16 == PUBLISHED_PARAMETERS[size]


ARCHITECTURE = Architecture((8, 8, 16, 16), (1, 2, 1, 3), 3, 8, ("class 0", "class 1"))
"""As small as it gets, of no published size, and every depth is different from n's."""


@pytest.fixture(scope="module")
def net():
    proportions = Proportions(ARCHITECTURE.channels, ARCHITECTURE.depths, ARCHITECTURE.fpn_depth)
    return build_detector(proportions, ARCHITECTURE.class_names, class_channels=ARCHITECTURE.class_channels)


@pytest.fixture(scope="module")
def tensors(net, pt_tensor):
    """Random tensors of the shapes that such a network has in PyTorch."""
    generator = np.random.default_rng(0)
    made = OrderedDict({"model.22.dfl.conv.weight": pt_tensor(np.arange(16.0).reshape(1, 16, 1, 1))})
    for layer, names in tensor_names(ARCHITECTURE).items():
        for name, weight in zip(names, net.get_layer(layer).weights):
            shape = tuple(weight.shape)
            shape = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
            made[name] = pt_tensor(generator.random(shape, np.float32))
    return made


@pytest.fixture
def write(tensors, write_pt, tmp_path):
    """(changed tensors by name, None to leave one out) → the file."""

    def write(changed):
        kept = {name: tensor for name, tensor in {**tensors, **changed}.items() if tensor is not None}
        return write_pt(tmp_path / "own.pt", {"model": OrderedDict(kept)})

    return write


def test_the_command_writes_a_detectors_file(tensors, write, tmp_path, capsys):
    path, out = write({}), tmp_path / "deep/net.keras"
    assert architecture_of(read_checkpoint(path)) == ARCHITECTURE
    parser = argparse.ArgumentParser()
    import_command.add_arguments(parser)
    assert import_command.run(parser.parse_args(["yolov8", str(path), "--out", str(out)])) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    size = "YOLOv8 of its own size, 2 classes: class 0, class 1"
    assert printed.out == f"detector: {out} ({size}), from {path}\n"
    found = load_net(out)
    assert found.class_names == ARCHITECTURE.class_names
    last = found.get_layer("stack4_c2f_pre_2_2_conv").get_weights()[0]
    assert np.array_equal(last, tensors["model.8.m.2.cv2.conv.weight"].array.transpose(2, 3, 1, 0))
    bias = found.get_layer("yolo_v8_head_3_box_3_conv").get_weights()[1]
    assert np.array_equal(bias, tensors["model.22.cv2.2.2.bias"].array)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"model.9.cv1.bn.running_var": None}, "missing model.9.cv1.bn.running_var"),
        ({"model.23.weight": "model.0.conv.weight"}, "unexpected model.23.weight"),
        ({"model.22.cv3.0.2.weight": None}, "it has no model.22.cv3.0.2.weight"),
        (
            {"model.1.conv.weight": "model.0.conv.weight"},
            "model.1.conv.weight is [4, 3, 3, 3], expected [8, 4, 3, 3]",
        ),
        ({"model.12.m.2.cv1.conv.weight": None}, "wrong depths or widths"),
        ({"model.22.dfl.conv.weight": "model.0.bn.bias"}, "is not 0, 1, … 15"),
    ],
)
def test_other_networks_are_refused_and_named(net, tensors, write, changed, reason):
    before = net.get_weights()
    path = write({name: tensors[value] if value else None for name, value in changed.items()})
    with pytest.raises(UserError) as caught:
        load_yolov8(net, read_checkpoint(path))
    assert reason in str(caught.value) and "\n" not in str(caught.value)
    assert all(map(np.array_equal, before, net.get_weights()))


def test_a_network_of_another_architecture_is_a_mistake_of_the_caller(net, write):
    with pytest.raises(ValueError, match="is not a detector of the checkpoint's architecture"):
        load_yolov8(net.backbone, read_checkpoint(write({})))
