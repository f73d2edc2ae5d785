"""Names of images in tables."""

from pathlib import Path

from kind.reports.names import distinct_names, distinct_paths


def test_names_are_short_and_different():
    assert distinct_names(["1.png", "1.png", "2.png"], ["a", "b", "b"]) == ["a/1.png", "b/1.png", "2.png"]
    assert distinct_names([], []) == []


def test_paths_of_one_name_get_as_many_folders_as_it_takes():
    paths = ["set/train/images/1.png", "set/valid/images/1.png", "set/train/images/2.png", "other/3.png"]
    assert distinct_paths([Path(path) for path in paths]) == [
        "train/images/1.png", "valid/images/1.png", "2.png", "3.png"
    ]  # fmt: skip
    assert distinct_paths([]) == []
