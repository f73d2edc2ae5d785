import numpy as np
import pytest
from PIL import Image

from kind.data.pairs import Pair, find_pairs, split_pairs
from kind.errors import UserError


def write(path, height=4, width=5):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(path)
    return path


def test_pairs_are_found_by_stem_whatever_the_suffix_and_sorted(tmp_path):
    for name in ("b.png", "a.JPG", "c.tif"):
        write(tmp_path / "low" / name)
    for name in ("a.png", "c.PNG", "b.bmp"):
        write(tmp_path / "high" / name)
    (tmp_path / "low" / "notes.txt").write_text("not an image")
    write(tmp_path / "low" / ".hidden.png")
    assert find_pairs(tmp_path) == [
        Pair("a", tmp_path / "low" / "a.JPG", tmp_path / "high" / "a.png"),
        Pair("b", tmp_path / "low" / "b.png", tmp_path / "high" / "b.bmp"),
        Pair("c", tmp_path / "low" / "c.tif", tmp_path / "high" / "c.PNG"),
    ]
    assert find_pairs(tmp_path, "test") == find_pairs(str(tmp_path), "training")


def test_lol_has_two_parts(tmp_path):
    for part, name in (("our485", "2"), ("eval15", "1")):
        for side in ("low", "high"):
            write(tmp_path / part / side / f"{name}.png")
    assert [pair.name for pair in find_pairs(tmp_path)] == ["2"]
    assert [pair.name for pair in find_pairs(tmp_path, "test")] == ["1"]
    assert find_pairs(tmp_path)[0].low == tmp_path / "our485" / "low" / "2.png"


def error_of(folder):
    with pytest.raises(UserError) as caught:
        find_pairs(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    assert f"{tmp_path / 'no'}: no such folder" in error_of(tmp_path / "no")


def test_a_folder_without_low_or_high_says_what_is_expected(tmp_path):
    (tmp_path / "low").mkdir()
    assert error_of(tmp_path).startswith(f"{tmp_path}: expected folders low/ and high/")


def test_empty_folders_are_an_error(tmp_path):
    for side in ("low", "high"):
        (tmp_path / side).mkdir()
    assert f"{tmp_path}: low/ and high/ hold no images" in error_of(tmp_path)


def test_images_without_a_partner_are_named_and_counted(tmp_path):
    write(tmp_path / "high" / "both.png")
    write(tmp_path / "low" / "both.png")
    alone = [write(tmp_path / "low" / f"{number}.png") for number in range(7)]
    message = error_of(tmp_path)
    assert message.startswith("no partner of the same name for ")
    assert all(str(path) in message for path in alone[:5])
    assert str(alone[5]) not in message and message.endswith("and 2 more")
    for path in alone:
        path.unlink()
    only_high = write(tmp_path / "high" / "bright.png")
    assert error_of(tmp_path) == f"no partner of the same name for {only_high}"


def test_two_files_of_one_stem_are_named(tmp_path):
    first, _ = write(tmp_path / "low" / "a.bmp"), write(tmp_path / "low" / "a.png")
    write(tmp_path / "high" / "a.png")
    assert error_of(tmp_path) == f"{first} and a.png share a stem; keep one of them"


def test_partners_of_different_size_are_named_with_their_sizes(tmp_path):
    low, high = write(tmp_path / "low" / "a.png", 4, 5), write(tmp_path / "high" / "a.png", 5, 4)
    assert error_of(tmp_path) == f"partners differ in size: {low} (5x4) and {high} (4x5)"


def test_an_unreadable_image_is_named(tmp_path):
    write(tmp_path / "low" / "a.png")
    broken = tmp_path / "high" / "a.png"
    broken.parent.mkdir()
    broken.write_bytes(b"not an image")
    assert error_of(tmp_path).startswith(str(broken))


@pytest.mark.parametrize("every", [2, 3, 10])
def test_a_split_holds_out_every_nth_by_name(every, tmp_path):
    names = [f"{number:02d}" for number in range(23)]
    pairs = [Pair(name, tmp_path / name, tmp_path / name) for name in names]
    training, validation = split_pairs(pairs[::-1], every)
    assert [pair.name for pair in validation] == [name for name in names if int(name) % every == 0]
    assert sorted(training + validation) == pairs


def test_a_split_that_leaves_nothing_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"1 pair\(s\) are too few"):
        split_pairs([Pair("a", tmp_path, tmp_path)])
