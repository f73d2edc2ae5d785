"""What a mixture's parts are, and that nothing held out is ever trained on."""

from pathlib import Path

import numpy as np
import pytest

from kind.data.pairs import Pair
from kind.data.photographs import (
    Photograph,
    find_bright_photographs,
    is_pairs,
    parse_part,
    scene_of,
    split_photographs,
    split_scenes,
)
from kind.errors import UserError
from kind.images.photo import write_photo


def test_parts_are_read():
    assert parse_part("lol=/data/lol:0.4") == ("lol", Path("/data/lol"), 0.4, True, "")
    assert parse_part("rest=/data/a:b:2:all") == ("rest", Path("/data/a:b"), 2.0, False, "")
    assert parse_part("noisy=/data:1:isp-published") == ("noisy", Path("/data"), 1.0, True, "isp-published")
    assert parse_part("noisy=/data:1:all:deep") == ("noisy", Path("/data"), 1.0, False, "deep")


@pytest.mark.parametrize("text", ["lol", "lol=/data", "lol=/data:-1", "lol=/data:0", "lol=/data:x", "=:1"])
def test_other_forms_are_refused(text):
    with pytest.raises(UserError, match="NAME=DIR:WEIGHT"):
        parse_part(text)


def test_a_folder_alone_is_the_whole_mixture(tmp_path):
    assert parse_part(str(tmp_path)) == (tmp_path.name, tmp_path, 1.0, True, "")


def test_all_exposures_of_a_scene_are_on_one_side():
    names = [f"set-{scene:02d}_{number}" for scene in range(25) for number in range(3)]
    pairs = [Pair(name, Path(name), Path(name)) for name in names]
    training, validation = split_scenes(pairs)
    assert {scene_of(pair.name) for pair in validation} == {"set-00", "set-10", "set-20"}
    assert len(validation) == 9 and len(training) == 66


def test_stems_without_a_number_are_split_as_before():
    pairs = [Pair(str(name), Path("low"), Path("high")) for name in range(240)]
    from kind.data.pairs import split_pairs

    assert split_scenes(pairs) == split_pairs(pairs)


@pytest.mark.parametrize("count, test, validation", [(128, 24, 8), (5, 1, 0), (471, 89, 29)])
def test_photographs_are_held_out(count, test, validation):
    photographs = [Photograph(f"{number:04d}", Path(str(number))) for number in range(count)]
    split = split_photographs(photographs[::-1])
    assert (len(split.test), len(split.validation)) == (test, validation)
    assert sorted([*split.training, *split.validation, *split.test]) == photographs


def test_folders_of_photographs(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("b", "a"):
        write_photo(tmp_path / "images" / f"{name}.png", np.zeros((4, 4, 3), np.float32))
    assert [photograph.name for photograph in find_bright_photographs(tmp_path)] == ["a", "b"]
    assert not is_pairs(tmp_path)
    (tmp_path / "low").mkdir()
    assert is_pairs(tmp_path)
    with pytest.raises(UserError, match="no photographs"):
        find_bright_photographs(tmp_path / "low")
    with pytest.raises(UserError, match="no such folder"):
        find_bright_photographs(tmp_path / "missing")
