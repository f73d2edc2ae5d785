"""The page of `demo`."""

import json

import numpy as np
import pytest

from kind.cli.gallery import PAGE_FILE, Entry, refresh_galleries, write_gallery, write_parts
from kind.images.photo import write_photo


@pytest.fixture
def entry(tmp_path):
    """(name, note) → an entry whose files are there."""

    def make(name, note="α = 5"):
        pixels = np.full((6, 8, 3), 0.5, np.float32)
        write_photo(tmp_path / f"{name}.png", pixels)
        steps = [("input", pixels), ("its light", pixels[..., :1])]
        parts = write_parts(tmp_path / f"{name}_sheet.png", steps)
        return Entry(tmp_path / f"{name}.png", parts, (6, 8), note)

    return make


def test_every_step_has_its_file_caption_and_alternative_text(entry, tmp_path):
    write_gallery(tmp_path / PAGE_FILE, [entry("a<b")])
    page = (tmp_path / PAGE_FILE).read_text(encoding="utf-8")
    for words in (
        '<img loading="lazy" src="steps/a%3Cb_sheet-input.jpg" alt="a&lt;b.png: input">',
        '<figure data-after><a href="steps/a%3Cb_sheet-its-light.jpg">',
        "<figcaption>its light</figcaption>",
        "8×6 pixels, α = 5",
    ):
        assert words in page, words
    assert sorted(path.name for path in (tmp_path / "steps").iterdir()) == [
        "a<b_sheet-input.jpg",
        "a<b_sheet-its-light.jpg",
    ]


def test_the_page_shows_what_is_there_and_nothing_else(entry, tmp_path):
    def shown():
        page = (tmp_path / PAGE_FILE).read_text(encoding="utf-8")
        return [name for name in ("a", "b", "c") if f'<h2><a href="{name}.png">' in page], page

    write_gallery(tmp_path / PAGE_FILE, [entry("a"), entry("b", "old")])
    write_gallery(tmp_path / PAGE_FILE, [entry("b", "</script>new"), entry("c")])
    names, page = shown()
    assert names == ["a", "b", "c"] and "old" not in page and "</script>new" not in page
    (tmp_path / "a.png").unlink()
    (tmp_path / "steps" / "c_sheet-input.jpg").unlink()
    write_gallery(tmp_path / PAGE_FILE, [])
    assert shown()[0] == ["b"]


@pytest.mark.parametrize(
    "kept",
    [
        "no JSON",
        "[1]",
        "{}",
        json.dumps([{"picture": "../secret.png", "parts": [], "size": [1, 1], "note": ""}]),
        json.dumps([{"picture": "/etc/passwd", "parts": [], "size": [1, 1], "note": ""}]),
        json.dumps([{"picture": "x.png", "parts": [["a"]], "size": [1, 1], "note": ""}]),
        "[" * 100_000,
    ],
)
def test_a_page_of_somebody_else_is_not_believed(entry, tmp_path, kept):
    (tmp_path.parent / "secret.png").write_text("")
    script = f'<script type="application/json" id="entries">{kept}</script>'
    (tmp_path / PAGE_FILE).write_text(script, encoding="utf-8")
    write_gallery(tmp_path / PAGE_FILE, [entry("b")])
    page = (tmp_path / PAGE_FILE).read_text(encoding="utf-8")
    assert page.count("<section>") == 1 and "secret" not in page and "passwd" not in page


def test_a_picture_that_is_written_anew_is_shown_without_its_old_steps(entry, tmp_path):
    a, b = entry("a"), entry("b")
    other = tmp_path / "other" / "a.png"
    write_photo(other, np.zeros((4, 5, 3), np.float32))
    refresh_galleries([a.picture, other])  # where there is no page, none is made
    assert not (tmp_path / PAGE_FILE).exists()
    write_gallery(tmp_path / PAGE_FILE, [a, b])
    (tmp_path / "other" / PAGE_FILE).write_text("<p>mine</p>")
    write_photo(tmp_path / "a.png", np.zeros((4, 5, 3), np.float32))
    refresh_galleries([a.picture, tmp_path / "failed.png", other])
    page = (tmp_path / PAGE_FILE).read_text(encoding="utf-8")
    assert "5×4 pixels, relit" in page and "steps/a_sheet" not in page and "steps/b_sheet" in page
    assert (tmp_path / "other" / PAGE_FILE).read_text() == "<p>mine</p>"
