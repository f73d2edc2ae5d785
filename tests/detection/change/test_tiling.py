"""Tiles of large triplets, and what `kind doctor` finds in them."""

import json

import numpy as np
import pytest
from PIL import Image

from kind.cli.main import main
from kind.detection.change.doctor import examine_triplets
from kind.detection.change.folders import find_triplets, read_label
from kind.detection.change.tiling import cut
from kind.errors import UserError


def write(folder, name, size=(20, 33)):
    random = np.random.default_rng(len(name))
    pixels = {side: random.integers(0, 256, (*size, 3), np.uint8) for side in ("A", "B")}
    pixels["label"] = (random.random(size) < 0.3).astype(np.uint8) * 255
    for side, image in pixels.items():
        (folder / side).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(folder / side / f"{name}.png")
    return pixels


def test_tiles_cover_the_photographs_and_keep_their_pixels(tmp_path):
    pixels = write(tmp_path / "data" / "train", "one")
    write(tmp_path / "data" / "val", "two", (16, 16))
    assert cut(tmp_path / "data", tmp_path / "tiles", 16) == {"train": 6, "val": 1}
    names = [one.name for one in find_triplets(tmp_path / "tiles", "training")]
    assert names == [f"one_{top}_{left}" for top in ("0000", "0004") for left in ("0000", "0016", "0017")]
    (tile,) = (one for one in find_triplets(tmp_path / "tiles") if one.name == "one_0004_0016")
    np.testing.assert_array_equal(np.asarray(Image.open(tile.after)), pixels["B"][4:20, 16:32])
    np.testing.assert_array_equal(read_label(tile.label)[..., 0] * 255, pixels["label"][4:20, 16:32])
    with pytest.raises(UserError, match="smaller than a tile of --image-size 17"):
        cut(tmp_path / "data", tmp_path / "other", 17)


def test_the_command_says_how_many(tmp_path, capsys):
    write(tmp_path / "data", "one")
    assert (
        main(["tiles", str(tmp_path / "data"), "--out", str(tmp_path / "tiles"), "--image-size", "16"]) == 0
    )
    assert capsys.readouterr().out.endswith("tiles: 6 all\n")
    assert main(["tiles", str(tmp_path / "data"), "--out", str(tmp_path / "data")]) == 2
    assert "is the data set itself" in capsys.readouterr().err


def test_the_doctor_names_what_is_wrong(tmp_path, capsys):
    folder = tmp_path / "data"
    for name in ("alone", "broken", "gray", "inverted", "same", "size"):
        write(folder, name)
    (folder / "B" / "alone.png").unlink()
    (folder / "A" / "broken.png").write_bytes(b"nothing")
    Image.fromarray(np.arange(20 * 33, dtype=np.uint8).reshape(20, 33)).save(folder / "label" / "gray.png")
    Image.fromarray(np.full((20, 33), 255, np.uint8)).save(folder / "label" / "inverted.png")
    (folder / "B" / "same.png").write_bytes((folder / "A" / "same.png").read_bytes())
    Image.fromarray(np.zeros((20, 32), np.uint8)).save(folder / "label" / "size.png")
    found = {(one.kind, one.files[0].stem) for one in examine_triplets(folder).findings}
    assert found == {
        ("unmatched", "alone"), ("unreadable", "broken"), ("not a mask", "gray"),
        ("all changed", "inverted"), ("equal", "same"), ("size", "size"),
    }  # fmt: skip
    assert main(["doctor", str(folder), "--out", str(tmp_path / "out")]) == 3
    text = capsys.readouterr().out
    assert "triplets: 5 all" in text and "3 errors, 3 warnings" in text and "no partner in B" in text
    assert json.loads((tmp_path / "out" / "doctor.json").read_text())["triplets"] == 5


def test_black_labels_are_named_and_a_good_set_is_clean(tmp_path):
    write(tmp_path / "good", "one")
    assert examine_triplets(tmp_path / "good").findings == []
    Image.fromarray(np.zeros((20, 33), np.uint8)).save(tmp_path / "good" / "label" / "one.png")
    assert [one.kind for one in examine_triplets(tmp_path / "good").findings] == ["no change"]
