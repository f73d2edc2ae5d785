"""LEVIR-CD's and WHU-CD's layouts, and which photographs pairs are made of."""

import numpy as np
import pytest
from PIL import Image

from kind.detection.change.batches import ReadPairs
from kind.detection.change.folders import (
    find_triplets,
    is_change_folder,
    part_or_all,
    read_label,
    split_triplets,
)
from kind.detection.change.sources import find_photographs, make_material, triplet_source
from kind.errors import UserError


def write(folder, names, size=(12, 10)):
    random = np.random.default_rng(len(names))
    for name in names:
        for side in ("A", "B", "label"):
            pixels = random.integers(0, 256, (*size, 3), np.uint8)
            pixels = (pixels[..., 0] > 127).astype(np.uint8) * 255 if side == "label" else pixels
            (folder / side).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / side / f"{name}.png")


def test_parts_are_folders(tmp_path):
    write(tmp_path / "train", ["a", "b"])
    write(tmp_path / "val", ["c"])
    write(tmp_path / "test", ["d"])
    assert is_change_folder(tmp_path)
    assert [one.name for one in find_triplets(tmp_path, "test")] == ["d"]
    assert [one.name for one in find_triplets(tmp_path)] == ["a", "b", "c", "d"]
    assert [[one.name for one in part] for part in split_triplets(tmp_path, 10)] == [["a", "b"], ["c"]]


def test_parts_are_lists(tmp_path):
    write(tmp_path, ["a", "b", "c"])
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "train.txt").write_text("a.png\nc.png\n")
    (tmp_path / "list" / "val.txt").write_text("b.png\n")
    assert [[one.name for one in part] for part in split_triplets(tmp_path, 10)] == [["a", "c"], ["b"]]
    assert find_triplets(tmp_path, "test") == []
    (tmp_path / "list" / "test.txt").write_text("d.png\n")
    with pytest.raises(UserError, match="names what is not there: d"):
        find_triplets(tmp_path, "test")


def test_without_parts_every_nth_is_held_out(tmp_path):
    write(tmp_path, list("abcdef"))
    training, validation = split_triplets(tmp_path, 3)
    assert [one.name for one in validation] == ["a", "d"] and len(training) == 4


def test_without_parts_a_split_is_that_of_training(tmp_path):
    write(tmp_path, list("abcdef"))
    training, validation = split_triplets(tmp_path, 3)
    assert part_or_all(tmp_path, "training", 3) == training
    assert part_or_all(tmp_path, "validation", 3) == validation
    assert len(part_or_all(tmp_path, "test", 3)) == 6


def test_test_triplets_are_never_trained_on(tmp_path):
    write(tmp_path, list("abcdef"))
    (tmp_path / "list").mkdir()
    (tmp_path / "list" / "test.txt").write_text("a.png\nb.png\n")
    training, validation = split_triplets(tmp_path, 2)
    assert sorted(one.name for one in training + validation) == list("cdef")
    write(tmp_path / "other" / "test", ["a", "b"])
    with pytest.raises(UserError, match="too few triplets"):
        split_triplets(tmp_path / "other", 2)


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match="expected A/, B/ and label"):
        find_triplets(tmp_path)
    write(tmp_path, ["a", "b"])
    (tmp_path / "B" / "b.png").unlink()
    with pytest.raises(UserError, match=r"no partner of the same name for b \(not in B/\)"):
        find_triplets(tmp_path)


def test_triplets_become_arrays_once(tmp_path):
    write(tmp_path / "data", ["a", "b"])
    triplets = find_triplets(tmp_path / "data")
    done = []
    source = triplet_source(triplets, tmp_path / "cache", lambda *progress: done.append(progress))
    assert len(done) == 6
    read = source.reader()(1)
    np.testing.assert_array_equal(read["label"] / 65535, read_label(triplets[1].label))
    assert read["before"].shape == (12, 10, 3)
    triplet_source(triplets, tmp_path / "cache", lambda *progress: done.append(progress))
    assert len(done) == 6
    with pytest.raises(UserError, match="--patch 11"):
        ReadPairs(source, 11, 2)
    Image.fromarray(np.zeros((12, 11), np.uint8)).save(triplets[0].label)
    with pytest.raises(UserError, match="differ in size: a"):
        triplet_source(triplets, tmp_path / "cache")


def test_photographs_of_each_part_are_others_and_copies_count_once(tmp_path):
    random = np.random.default_rng(0)
    folder = tmp_path / "photographs"
    folder.mkdir()
    for number in range(17):
        Image.fromarray(random.integers(0, 256, (40, 60, 3), np.uint8)).save(folder / f"{number:02}.png")
    (folder / "copy.png").write_bytes((folder / "16.png").read_bytes())
    parts = {part: find_photographs([folder], part)[0] for part in ("training", "validation", "test")}
    names = {part: {one.name for one in found} for part, found in parts.items()}
    assert {part: len(found) for part, found in names.items()} == {"training": 12, "validation": 1, "test": 4}
    assert len(set.union(*names.values())) == 17
    material = make_material(parts["validation"], {}, tmp_path / "cache")
    assert material.photographs.reader()(0)["image"].shape == (40, 60, 3)
    assert material.objects.reader()(0)["cut_outs"].shape == (3 * 128, 128, 4)
    with pytest.raises(UserError, match="too few photographs"):
        (tmp_path / "one").mkdir()
        (folder / "00.png").rename(tmp_path / "one" / "00.png")
        find_photographs([tmp_path / "one"], "training")
