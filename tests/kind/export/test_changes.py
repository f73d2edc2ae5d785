"""The signature that compares two photographs, against the commands' own functions in NumPy."""

import io
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from kind.cli.served_networks import served_changes
from kind.detection.change.graph_regions import found_changes
from kind.detection.change.regions import regions_of
from kind.enhancing.enhancer import Enhancer
from kind.export.contract import AFTER_BYTES, BEFORE_BYTES
from kind.export.parity import _between_changes
from kind.export.signatures import _Served
from kind.images.photo import decode_photo, encode_photo
from kind.nn.graphs import as_graph

LIMIT, SMALLEST = 20_000, 6


@pytest.fixture(scope="module")
def comparing(bright_networks):
    """Enhancer, change detection and its signature; a pixel has changed as far as it has become brighter."""
    dates = [tf.keras.Input((None, None, 3)) for _ in range(2)]
    last = tf.keras.layers.Conv2D(
        1, 1, kernel_initializer="ones", bias_initializer=tf.constant_initializer(-1)
    )
    net = tf.keras.Model(dates, last(tf.keras.layers.Subtract()(dates[::-1])))
    changes = served_changes(net, "raw", 0.5, SMALLEST)
    enhancer = Enhancer.load(bright_networks, variant="kind")
    served = _Served(enhancer, None, LIMIT, changes)  # alone: the other signatures take long to make
    specs = [tf.TensorSpec([None], tf.string, name) for name in (BEFORE_BYTES, AFTER_BYTES)]
    return enhancer, changes, as_graph(served.detect_changes, specs)


@pytest.fixture
def ask(comparing):
    """(before, after) → outputs by name."""

    def ask(before, after):
        outputs = comparing[-1](tf.constant(before), tf.constant(after))
        return {name: value.numpy() for name, value in outputs.items()}

    return ask


def scene(*boxes, shape=(40, 60)):
    """A dim slope with white boxes: left, top, right, bottom."""
    pixels = np.repeat(np.linspace(0, 0.2, shape[1])[np.newaxis, :, np.newaxis], shape[0], axis=0)
    pixels = np.repeat(pixels, 3, axis=-1)
    pixels[0, 0], pixels[-1, -1] = 0, 1  # the stretch of both dates is the same
    for left, top, right, bottom in boxes:
        pixels[top:bottom, left:right] = 1
    return encode_photo(pixels, "png")


def levels(data):
    return np.asarray(Image.open(io.BytesIO(data)))


def test_what_has_appeared_is_found_in_each_pair(ask):
    boxes = [(5, 4, 15, 10), (30, 20, 50, 36), (0, 30, 1, 31)]  # the last one is too small
    served = ask([scene(), scene()], [scene(*boxes), scene()])
    assert served["number"].tolist() == [2, 0]
    assert served["boxes"][0, :2].tolist() == [list(boxes[1]), list(boxes[0])]
    assert served["areas"][0, :3].tolist() == [320, 60, 0]
    assert not served["boxes"][0, 2:].any() and not served["scores"][1].any()
    mask, probability = (levels(served[name][0]) for name in ("mask_bytes", "probability_bytes"))
    assert mask.shape == probability.shape == (40, 60) and set(np.unique(mask)) == {0, 255}
    assert (mask > 0).sum() == 380 and mask[4:10, 5:15].all() and not mask[30, 0]
    assert probability[30, 0] > 127 > probability[39, 0]
    assert served["scores"][0, 0] == pytest.approx(probability[20:36, 30:50].mean() / 255, abs=0.002)
    assert not levels(served["mask_bytes"][1]).any()


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ([scene()], [b"?"], r"after_bytes\[0\]: expects a file of PNG"),
        ([scene(), scene()[:-20]], [scene()] * 2, r"before_bytes\[1\]: damaged or incomplete"),
        ([scene()] * 2, [scene()], "after_bytes: expects as many images as before_bytes, 2; received 1"),
        (
            [scene()],
            [scene(shape=(40, 59))],
            r"after_bytes\[0\]: 59x40 pixels; expects the size of before_bytes, 60x40",
        ),
        ([scene()], [scene(shape=(200, 101))], r"after_bytes\[0\]: 101x200 pixels; the limit is 20000"),
    ],
)
def test_what_is_wrong_is_named(ask, before, after, message):
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        ask(before, after)


def test_the_comparison_with_python_sees_what_is_wrong(comparing):
    enhancer, changes, run = comparing
    # Outside of graphs the pipeline gives arrays.
    changes = replace(changes, seen=lambda images, enhanced: np.asarray(images))
    pixels = decode_photo(scene((5, 4, 15, 10)), "").pixels
    found = _between_changes(run, enhancer, changes, pixels)
    assert [one.output for one in found] == ["probability_bytes", "mask_bytes"]
    assert all(one.is_within for one in found), found
    darker = replace(changes, seen=lambda images, enhanced: np.asarray(images) / 2)
    assert not all(one.is_within for one in _between_changes(run, enhancer, darker, pixels))


@pytest.mark.parametrize(("share", "most"), [(0.0, 5), (0.55, 5), (0.55, 100)])
def test_regions_are_those_of_the_command(share, most):
    random = np.random.default_rng(0)
    probability = (random.random((30, 44)) ** (0.5 if share else 9)).astype(np.float32)
    mask, regions = regions_of(probability, 0.7, 4)
    found = found_changes(tf.constant(probability), 0.7, 4, most)
    np.testing.assert_array_equal(found.mask, mask)
    count = min(len(regions), most)
    assert found.count == count and found.boxes.shape == (most, 4)
    assert [tuple(map(int, box)) for box in found.boxes[:count]] == [one.box for one in regions[:count]]
    assert found.areas[:count].numpy().tolist() == [one.area for one in regions[:count]]
    np.testing.assert_allclose(found.scores[:count], [one.probability for one in regions[:count]], rtol=1e-5)
    assert not tf.reduce_any(found.areas[count:] != 0)
