"""Which cases a report shows, and their pictures."""

import numpy as np
import pytest
from PIL import Image

from kind.reports.cases import choose_cases, remove_others, write_picture


@pytest.mark.parametrize(
    ("ranked", "expected"),
    [
        ("", []),
        ("a", [("worst", "a")]),
        ("ab", [("worst", "a"), ("best", "b")]),
        ("abc", [("worst", "a"), ("median", "b"), ("best", "c")]),
        ("abcdef", [("worst", "a"), ("median", "c"), ("best", "f")]),
    ],
)
def test_worst_median_and_best(ranked, expected):
    assert choose_cases(ranked) == expected


def test_pictures_are_whole_and_clipped(tmp_path):
    pixels = np.full((1000, 2000, 3), 1.5)
    pixels[:, :1000] = -1
    write_picture(tmp_path / "new" / "case-1.jpg", pixels)
    shown = np.asarray(Image.open(tmp_path / "new" / "case-1.jpg"))
    assert shown.shape == (1000, 2000, 3)
    assert shown[200, 100].max() < 5 and shown[200, 1800].min() > 250


def test_only_pictures_of_cases_are_removed(tmp_path):
    for name in ("case-old.jpg", "case-new.jpg", "mine.jpg"):
        (tmp_path / name).write_text("")
    remove_others(tmp_path, [tmp_path / "case-new.jpg"])
    assert {path.name for path in tmp_path.iterdir()} == {"case-new.jpg", "mine.jpg"}
