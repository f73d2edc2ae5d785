"""A mixture of pairs and photographs: drawn by weight, without state, each sample what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from kind.data.augmentation import turned
from kind.data.mixture import (
    _framed,
    _turned_place,
    chosen_part,
    mixture_batches,
    sample_maker,
    validation_samples,
)
from kind.data.mixture_parts import fitting, open_part
from kind.data.photographs import Part
from kind.errors import UserError
from kind.images.photo import write_photo


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mixture")
    photograph = skimage.data.astronaut()[:160, :200] / np.float32(255)
    for side, gain in (("low", 0.25), ("high", 1.0)):
        (folder / "pairs" / side).mkdir(parents=True)
        for number in range(12):
            write_photo(
                folder / "pairs" / side / f"{number:02d}.png", gain * np.roll(photograph, 9 * number, 1)
            )
    (folder / "bright").mkdir()
    for number in range(16):
        write_photo(
            folder / "bright" / f"{number:02d}.png", np.roll(photograph, 9 * number, 0)[: 100 + 4 * number]
        )
    given = [Part("pairs", folder / "pairs", 3.0), Part("bright", folder / "bright", 1.0)]
    return [open_part(part, folder / "cache") for part in given]


def take(data, count):
    return [{key: value.numpy() for key, value in batch.items()} for batch in data.take(count)]


@pytest.mark.slow
def test_a_resumed_stream_goes_on_with_the_same_batches(parts):
    flags = {"batch": 4, "patch": 96, "seed": 3, "steps": 2}
    whole = take(mixture_batches(parts, **flags), 4)
    resumed = take(mixture_batches(parts, first_epoch=1, **flags), 2)
    for first, second in zip(whole[2:], resumed):
        for key in first:
            np.testing.assert_array_equal(first[key], second[key])
    assert not np.array_equal(whole[0]["high"], whole[1]["high"])
    halves = [take(mixture_batches(parts, processes=2, process=n, replicas=2, **flags), 1)[0] for n in (0, 1)]
    for key in whole[0]:
        np.testing.assert_array_equal(np.concatenate([half[key] for half in halves]), whole[0][key])


@pytest.mark.slow
def test_samples_have_their_shapes_and_ranges(parts):
    (batch,) = take(mixture_batches(parts, batch=8, patch=96, seed=0, steps=1), 1)
    shapes = {key: value.shape for key, value in batch.items()}
    assert shapes == {
        "low": (8, 96, 96, 3), "high": (8, 96, 96, 3), "thumbnail": (8, 128, 128, 3),
        "place": (8, 4),
    }  # fmt: skip
    for key in ("low", "high", "thumbnail"):
        assert batch[key].min() >= 0 and batch[key].max() <= 1


def test_a_photograph_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    for number in range(16):
        write_photo(tmp_path / "bright" / f"{number:02d}.png", np.full((100, 100, 3), number / 16))

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UserError, match=r"bright/\d\d.png: cannot be read \(Permission denied\)"):
        open_part(Part("bright", tmp_path / "bright", 1.0), tmp_path / "cache")


def test_parts_are_drawn_by_weight_and_named(parts):
    drawn = [chosen_part(parts, 0, 0, position) for position in range(200)]
    assert 0.65 < np.mean([name == "pairs" for name, _ in drawn]) < 0.85
    held_out = {"00", "05", "10", "13"}
    for name, path in drawn:
        assert name == "pairs" or path[-6:-4] not in held_out
        assert name == "bright" or path[-6:-4] not in ("00", "10")


@pytest.mark.parametrize("turn", range(8))
def test_a_turned_crop_lies_where_its_place_says(turn):
    whole = tf.random.stateless_uniform([30, 44, 3], [0, 1])
    top, left, patch = 4, 17, 12
    crop = turned(whole[top : top + patch, left : left + patch], turn)
    top, left, height, width = _turned_place(top, left, 30, 44, patch, tf.constant(turn)).numpy()
    whole = turned(whole, turn)
    assert whole.shape[:2] == (height, width)
    np.testing.assert_array_equal(whole[top : top + patch, left : left + patch], crop)


def test_the_image_of_a_message_is_the_one_that_was_drawn(parts):
    fitted = [fitting(part, 96) for part in parts]
    make = sample_maker(fitted, 96, 7)
    for position in range(6):
        name, path = chosen_part(fitted, 7, 2, position)
        sample = make(tf.constant(2, tf.int64), tf.constant(position, tf.int64))
        assert (sample["place"].numpy()[2:] == 96).all() or name == "pairs", path


def test_small_images_are_left_out(parts):
    assert len(fitting(parts[1], 96).training) == 12
    assert len(fitting(parts[1], 120).training) == 8
    with pytest.raises(UserError, match="--patch 500"):
        fitting(parts[1], 500)


def test_validation_has_pairs_as_they_are_and_exact_twins(parts):
    data, groups = validation_samples(parts)
    assert groups[0] == "pairs" and "bright -2 stops" in groups and len(groups) == 6
    samples = list(data)
    assert [int(sample["group"][0]) for sample in samples] == [0, 0, 1, 2, 3, 4, 5]
    np.testing.assert_allclose(samples[2]["low"], samples[2]["high"], atol=1e-5)
    for sample in samples:
        assert sample["low"].shape == sample["high"].shape


def test_a_part_may_have_twins_of_one_preset(parts):
    folder = Path(parts[1].training.images[0]).parent
    part = open_part(Part("dark", folder, 1.0, twins="deep"), folder / "cache")
    data, groups = validation_samples([part])
    assert groups == ["dark deep"] and all(np.mean(one["low"]) < 0.2 for one in data)
    for batch in take(mixture_batches([part], batch=8, patch=96, seed=0, steps=1), 2):
        low, high = (batch[side].mean((1, 2, 3)) for side in ("low", "high"))
        assert (low < 0.6 * high).sum() >= 7  # one in 50 is of one colour, and has no twin
    with pytest.raises(UserError, match="a preset of none, slight"):
        open_part(Part("dark", folder, 1.0, twins="pitch-black"), folder / "cache")
    with pytest.raises(UserError, match="not for pairs"):
        open_part(Part("dark", folder.parent / "pairs", 1.0, twins="deep"), folder / "cache")


def test_frames_may_be_crops_at_full_resolution():
    image = np.random.default_rng(0).integers(0, 1 << 16, (40, 50, 3), np.uint16)
    for cropped, is_crop in ((1.0, True), (0.0, False)):
        frame = _framed({"high": image}, 16, tf.constant([0, 1]), cropped)["high"]
        levels = np.rint(frame.numpy() * 65535)
        assert frame.shape == (16, 16, 3) and np.isin(levels, image).all() == is_crop


def test_a_damaged_file_of_the_cache_is_made_anew(tmp_path, capsys):
    for number in range(16):
        write_photo(tmp_path / "bright" / f"{number:02d}.png", np.full((9, 12, 3), number / 32, np.float32))
    part = Part("bright", tmp_path / "bright", 1.0)
    file = Path(open_part(part, tmp_path / "cache").training.files["high"][0])
    content = file.read_bytes()
    file.write_bytes(content[:-9])
    open_part(part, tmp_path / "cache")
    assert file.read_bytes() == content
    assert file.name in capsys.readouterr().err


def test_groups_have_the_same_numbers_whatever_is_held_out(parts):
    whole = [replace(parts[0], validation=None), parts[1]]
    held_out, groups = validation_samples(whole)
    trained, same = validation_samples(whole, training=1)
    assert groups == same and {groups[int(one["group"][0])] for one in held_out} == set(groups) - {"pairs"}
    assert {groups[int(one["group"][0])] for one in trained} == set(groups)
