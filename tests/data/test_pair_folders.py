"""Where the pairs of published sets, lists and patterns are found."""

import numpy as np
import pytest
from PIL import Image

from kind.data.doctor import examine
from kind.data.pair_lists import PairGlobs
from kind.data.pairs import find_pairs
from kind.data.photographs import is_pairs, parse_part
from kind.data.splits import choose_split
from kind.errors import UserError


def write(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(path)


def names(folder, part="training"):
    return [
        (pair.name, pair.low.parent.name + "/" + pair.low.name, pair.high.parent.name + "/" + pair.high.name)
        for pair in find_pairs(folder, part)
    ]


@pytest.mark.parametrize(
    "low, high", [("Low", "High"), ("input", "target"), ("low", "normal"), ("LOW", "high")]
)
def test_the_sides_have_several_names(tmp_path, low, high):
    write(tmp_path / low / "a.png", tmp_path / high / "a.png")
    assert is_pairs(tmp_path) and names(tmp_path) == [("a", f"{low}/a.png", f"{high}/a.png")]


def lol_v2(folder):
    for number, part in enumerate(("Train", "Test")):
        for side in ("Low", "Normal"):
            write(folder / part / side / f"{side.lower()}0000{number}.png")
    return folder


def test_lol_v2_has_parts_and_names_its_sides_in_the_files(tmp_path):
    folder = lol_v2(tmp_path / "Real_captured")
    expected = [("00000", "Low/low00000.png", "Normal/normal00000.png")]
    assert names(folder) == expected and names(tmp_path) == expected and is_pairs(folder)
    assert names(folder, "test") == [("00001", "Low/low00001.png", "Normal/normal00001.png")]
    assert choose_split(folder).name == "test"
    assert examine(folder).parts == {"training": 1, "test": 1}
    lol_v2(tmp_path / "Synthetic")
    with pytest.raises(UserError, match=r"holds several sets: Real_captured, Synthetic; name one, such as "):
        find_pairs(tmp_path)


def test_a_test_folder_of_something_else_is_no_part(tmp_path):
    write(tmp_path / "low" / "a.png", tmp_path / "high" / "a.png", tmp_path / "test" / "b.png")
    assert find_pairs(tmp_path, "test") == find_pairs(tmp_path)


def test_the_folders_that_were_found_are_named(tmp_path):
    for name in ("dark", "bright", ".git"):
        (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=r"expected folders low/ and high/ .* in it; found bright/, dark/$"):
        find_pairs(tmp_path)
    with pytest.raises(UserError, match="found no folders"):
        find_pairs(tmp_path / "dark")


@pytest.mark.parametrize(
    "text", ["a/1.png,b/1.png\n", "low,high\na/1.png, b/1.png\n\n", "id,Target,Input\n7,b/1.png,a/1.png\n"]
)
def test_a_list_names_pairs(tmp_path, text):
    write(tmp_path / "a" / "1.png", tmp_path / "b" / "1.png")
    (tmp_path / "pairs.csv").write_text(text)
    assert names(tmp_path / "pairs.csv") == [("1", "a/1.png", "b/1.png")]
    assert is_pairs(tmp_path / "pairs.csv")
    assert parse_part(str(tmp_path / "pairs.csv")).folder == tmp_path / "pairs.csv"
    assert examine(tmp_path / "pairs.csv").parts == {"training": 1}


@pytest.mark.parametrize(
    "text, reason",
    [
        ("", "lists no pairs"),
        ("low,high\n", "lists no pairs"),
        ("a/1.png\n", "line 1: expected two columns"),
        ("low,high\na/1.png\n", r"line 2: expected two images, found 1 column\(s\)"),
        ("a/1.png,no.png\n", "line 1: .*no.png: no such file"),
        ("a/1.png,b/1.png\na/1.png,b/1.png\n", "line 2: .*is there twice"),
        ('"a\n', "not a CSV file"),
    ],
)
def test_a_list_that_is_none_is_named_with_its_line(tmp_path, text, reason):
    write(tmp_path / "a" / "1.png", tmp_path / "b" / "1.png")
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(UserError, match=f"pairs.csv: {reason}"):
        find_pairs(tmp_path / "pairs.csv")


def test_images_of_one_stem_in_a_list_keep_apart(tmp_path):
    write(*(tmp_path / scene / side / "1.png" for scene in "ab" for side in ("low", "high")))
    rows = [f"{scene}/low/1.png,{scene}/high/1.png\n" for scene in "ab"]
    (tmp_path / "pairs.csv").write_text("".join(rows))
    assert [pair.name for pair in find_pairs(tmp_path / "pairs.csv")] == ["a-low-1.png", "b-low-1.png"]


def test_patterns_pair_files_by_what_the_wildcards_stand_for(tmp_path):
    for scene in ("x/1", "y/2"):
        write(tmp_path / f"{scene}_dark.png", tmp_path / f"{scene}_bright.jpg")
    globs = PairGlobs(f"{tmp_path}/*/?_dark.png", f"{tmp_path}/*/?_bright.jpg")
    assert [(pair.name, pair.high.name) for pair in find_pairs(globs)] == [
        ("x-1", "1_bright.jpg"),
        ("y-2", "2_bright.jpg"),
    ]
    assert [pair.name for pair in find_pairs(PairGlobs(*(f"{tmp_path}/**/{end}" for end in
            ("[12]_dark.png", "[12]_bright.jpg"))))] == ["x-1", "y-2"]  # fmt: skip
    write(tmp_path / "x" / "9_dark.png")
    with pytest.raises(UserError, match="no partner for which .*9_dark.png"):
        find_pairs(globs)
    with pytest.raises(UserError, match="--high .*: no such files; quote the pattern"):
        find_pairs(globs._replace(high=f"{tmp_path}/*.gif"))
    with pytest.raises(UserError, match="--low expects a pattern with wildcards"):
        find_pairs(globs._replace(low="night.png"))
