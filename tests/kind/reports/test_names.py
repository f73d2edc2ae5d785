"""Names of images in tables."""

from kind.reports.names import distinct_names


def test_names_are_short_and_different():
    assert distinct_names(["1.png", "1.png", "2.png"], ["a", "b", "b"]) == ["a/1.png", "b/1.png", "2.png"]
    assert distinct_names([], []) == []
