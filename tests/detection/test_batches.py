"""The stream of training batches: the same whatever the start, the company and the number of processes."""

import numpy as np
import pytest

from kind.data.annotations.layouts import read_yolo_folder
from kind.data.batches import images_of_batch
from kind.data.darkening import PRESETS
from kind.detection.batches import training_batches, validation_batches
from kind.detection.canvas import OUTSIDE
from kind.detection.config import DetectionConfig
from kind.detection.sources import Making, make_sources
from kind.errors import UserError
from kind.images.photo import write_photo

CONFIG = DetectionConfig(epochs=4, plain_epochs=1, batch=4, image_size=32, mosaic=0.5, jitter=0.2, seed=3)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    for number in range(9):
        pixels = generator.random((20 + number, 30, 3), np.float32)
        write_photo(folder / "images" / f"{number}.png", pixels)
        (folder / "labels").mkdir(exist_ok=True)
        (folder / "labels" / f"{number}.txt").write_text(f"{number % 3} .5 .5 .6 .6\n" * (number > 1))
    images = read_yolo_folder(folder, ["a", "b", "c"]).images
    return make_sources(images, ["raw"], Making(twins=2), folder / "cache")["raw"]


def taken(count, *arguments, **settings):
    return [
        {name: part.numpy() for name, part in batch.items()}
        for batch in training_batches(*arguments, **settings).take(count)
    ]


def equal(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_batches_are_canvases_with_padded_boxes(source):
    batches = taken(6, source, CONFIG)
    for batch in batches:
        assert batch["image"].shape == (4, 32, 32, 3) and batch["boxes"].shape[::2] == (4, 4)
        assert batch["classes"].shape == batch["boxes"].shape[:2]
        image = batch["image"]
        assert (image[image < 0] == OUTSIDE).all() and image.max() <= 1
        real = batch["classes"] >= 0
        assert (batch["boxes"][~real] == 0).all()
        boxes = batch["boxes"][real]
        assert (boxes[:, :2] < boxes[:, 2:]).all() and boxes.min() >= 0 and boxes.max() <= 32
    counts = np.concatenate([(batch["classes"] >= 0).sum(axis=1) for batch in batches])
    assert counts.max() > 1 and (counts == 0).any()  # mosaics, and images without boxes


@pytest.mark.slow
def test_it_goes_on_where_it_was_left(source):
    whole = taken(6, source, CONFIG, darkness=PRESETS["moderate"])
    later = taken(2, source, CONFIG, darkness=PRESETS["moderate"], first_epoch=2)
    assert all(equal(one, other) for one, other in zip(whole[4:], later))
    assert not equal(whole[0], whole[2])  # another epoch, other crops


def test_processes_share_the_batch_that_one_would_get(source):
    whole = taken(3, source, CONFIG)
    parts = [taken(3, source, CONFIG, processes=2, process=number, replicas=2) for number in (0, 1)]
    for one, first, second in zip(whole, *parts):
        assert np.array_equal(one["image"], np.concatenate([first["image"], second["image"]]))
        assert (one["classes"] >= 0).sum() == sum((part["classes"] >= 0).sum() for part in (first, second))


def test_the_last_epochs_have_no_mosaics(source):
    config = DetectionConfig(epochs=2, plain_epochs=1, batch=9, image_size=32, mosaic=1.0)
    first, second = taken(2, source, config)
    assert (first["classes"] >= 0).sum(axis=1).max() > 1 >= (second["classes"] >= 0).sum(axis=1).max()


def test_fresh_twins_are_dark_and_differ_each_time(source):
    config = DetectionConfig(epochs=2, batch=9, image_size=32, mosaic=0.0, scale=0.0, flip=0.0)
    first, second = taken(2, source, config, darkness=PRESETS["moderate"])
    assert first["image"][first["image"] >= 0].mean() < 0.3
    order = [images_of_batch(source, 9, config.seed, epoch, 0) for epoch in (0, 1)]
    same = [second["image"][order[1].index(name)] for name in order[0]]
    assert all(not np.array_equal(one, other) for one, other in zip(first["image"], same))


def test_validation_sees_each_image_once_and_always_the_same(source):
    once, again = (
        [
            {name: part.numpy() for name, part in batch.items()}
            for batch in validation_batches(source, 32, PRESETS["moderate"], seed=1)
        ]
        for _ in range(2)
    )
    assert len(once) == len(source) and all(equal(one, other) for one, other in zip(once, again))
    assert [batch["classes"].shape[1] for batch in once] == [0, 0] + [1] * 7
    assert [int(batch["classes"][0, 0]) for batch in once[2:]] == [number % 3 for number in range(2, 9)]


@pytest.mark.slow
def test_bright_photographs_travel_with_their_twins(source):
    """The dark ones are those of a stream without the bright ones, and all is in the same places."""
    alone, together = (
        taken(1, source, CONFIG, darkness=PRESETS["moderate"], twins=twins)[0] for twins in (0, 1)
    )
    assert equal(alone, together) and set(together) - set(alone) == {"bright"}
    assert np.array_equal(together["bright"] < 0, together["image"] < 0)
    assert together["bright"].mean() > together["image"].mean() + 0.1
    bright = taken(1, source, CONFIG)[0]["image"]
    np.testing.assert_allclose(together["bright"], bright, atol=1e-6)
    whole = next(iter(validation_batches(source, 32, PRESETS["moderate"], twins=True)))
    np.testing.assert_allclose(
        whole["bright"], next(iter(validation_batches(source, 32)))["image"], atol=1e-6
    )


def test_a_batch_that_cannot_be_shared_is_refused(source):
    with pytest.raises(UserError, match="--batch 4 cannot be shared equally by 3 replicas"):
        training_batches(source, CONFIG, replicas=3)
