"""Annotated photographs as arrays: what is made once, and what the boxes become."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from kind.data.annotations.layouts import read_yolo_folder
from kind.data.darkening import PRESETS, darken
from kind.detection.sources import Making, make_sources
from kind.enhancing.three_networks import KindEnhancer
from kind.images.photo import read_photo, write_photo
from kind.ops.stretch import min_max_stretch


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Three photographs; the second has no boxes."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for number, lines in enumerate(["0 .5 .5 .5 .25\n1 .25 .25 .1 .1\n", "", "1 .5 .5 1 1\n"]):
        write_photo(
            folder / "images" / f"{number}.png", generator.random((24 + 4 * number, 40, 3), np.float32)
        )
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{number}.txt").write_text(lines)
    return read_yolo_folder(folder, ["a", "b"]).images


def index(number):
    return tf.constant(number, tf.int64)


def test_photographs_and_boxes_are_those_of_the_files(images, tmp_path):
    source = make_sources(images, ["raw"], Making(), tmp_path)["raw"]
    read = source.reader()
    assert len(source) == 3 and source.images == tuple(str(image.path) for image in images)
    for number, image in enumerate(images):
        piece = read(index(number), index(0))
        np.testing.assert_allclose(piece.image, read_photo(image.path).pixels, atol=1e-4)
        np.testing.assert_allclose(piece.boxes, image.boxes, atol=1e-4)
        assert piece.classes.numpy().tolist() == image.classes.tolist()


def test_twins_are_the_isps_and_each_is_another(images, tmp_path):
    sources = make_sources(images, ["raw", "stretched"], Making("moderate", twins=2, seed=5), tmp_path)
    readers = [sources[kind].reader() for kind in ("raw", "stretched")]
    first, second = (readers[0](index(0), index(twin)).image.numpy() for twin in (0, 1))
    assert first.mean() < 0.25 and not np.allclose(first, second)
    assert np.allclose(first * 255, np.rint(first * 255), atol=0.01)  # of 8 bits, as files are
    stretched = min_max_stretch(first[np.newaxis])[0]
    np.testing.assert_allclose(readers[1](index(0), index(0)).image, stretched, atol=1e-3)
    pixels = tf.constant(read_photo(images[0].path).pixels)
    differences = [
        np.abs(darken(pixels, tf.constant([5, seed]), PRESETS["moderate"]) - first).max() for seed in range(3)
    ]
    assert min(differences) > 0.01  # the seed is the photograph's own, not its number


def test_a_photograph_has_the_same_twin_in_whatever_company(images, tmp_path):
    making = Making("moderate")
    alone = make_sources(images[2:], ["raw"], making, tmp_path / "a")["raw"].reader()(index(0), index(0))
    together = make_sources(images, ["raw"], making, tmp_path / "b")["raw"].reader()(index(2), index(0))
    assert np.array_equal(alone.image, together.image)


def test_shrinking_takes_the_boxes_along(images, tmp_path):
    piece = make_sources(images, ["raw"], Making(side=20), tmp_path)["raw"].reader()(index(2), index(0))
    assert piece.image.shape == (16, 20, 3)
    np.testing.assert_allclose(piece.boxes, [[0, 0, 20, 16]], atol=1e-5)


def test_what_is_there_is_not_made_again(images, tmp_path):
    done = []

    def progress(what, number, total, unit):
        done.append(total)

    make_sources(images[:2], ["raw"], Making(), tmp_path, progress)
    make_sources(images, ["raw"], Making(), tmp_path, progress)
    assert done == [2, 2, 1]


def test_what_the_networks_make_is_kept_by_their_weights(images, tmp_path):
    def enhancer(value):
        """A restoration that multiplies by a weight, and two networks that do little."""

        def times():
            return keras.layers.DepthwiseConv2D(
                1, use_bias=False, depthwise_initializer=keras.initializers.Constant(value)
            )

        image, light, other = (keras.Input((None, None, channels)) for channels in (3, 1, 1))
        shade = keras.layers.Conv2D(1, 1)(image)
        return KindEnhancer(
            keras.Model(image, [image, shade]),
            keras.Model([image, light], times()(image)),
            keras.Model([light, other], times()(light)),
        )

    seen = [
        make_sources(images, ["reflectance"], Making(enhancer=enhancer(value)), tmp_path)["reflectance"]
        for value in (0.5, 0.25)
    ]
    first, second = (source.reader()(index(0), index(0)).image.numpy() for source in seen)
    np.testing.assert_allclose(first, 2 * second, atol=1e-3)
    assert seen[0].digests() != seen[1].digests()


def test_digests_change_with_boxes(images, tmp_path):
    source = make_sources(images, ["raw"], Making(), tmp_path)["raw"]
    moved = [dataclasses.replace(images[0], boxes=images[0].boxes + 1), *images[1:]]
    other = make_sources(moved, ["raw"], Making(), tmp_path)["raw"]
    changed = [name for name, digest in source.digests().items() if other.digests()[name] != digest]
    assert changed == ["0.png 0"]
